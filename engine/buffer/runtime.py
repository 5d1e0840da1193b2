"""What a strategy may touch of the world. One class for production and simulation: only its parts are exchanged.

The parts are the Redis client, the HTTP client, the wall clock, the random stream and the recorder. A simulation puts
faults *below* the first two, at the connection and at the transport, so that the code here never knows where it runs.
"""

import asyncio
import json
import random as random_module
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote, unquote_to_bytes

import httpx
import redis.asyncio

from engine.buffer.errors import HandOverError, HandOverFailed, HandOverRefused, HandOverUnanswered
from engine.buffer.model import Conversation, Message
from engine.buffer.settings import Settings

_VISIBLE = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")
#: What a line of the history has without a strategy's help.
_OF_A_LINE = frozenset({"self", "t", "event", "function", "note"})
DELIVERY_PATH = "/functions/v1/process-buffered-messages"


class Recorder(Protocol):
    """Where a function's events go: the history in a simulation, the log and the metrics in production."""

    def __call__(self, event: str, **fields: Any) -> None:
        """Record an event of the history (`docs/history.md`)."""


class Runtime:
    """The world as one function sees it."""

    def __init__(
        self,
        *,
        name: str,
        settings: Settings,
        redis: "redis.asyncio.Redis",
        http: httpx.AsyncClient,
        clock: Callable[[], datetime],
        random: random_module.Random,
        record: Recorder,
    ) -> None:
        self.name = name
        self.settings = settings
        self.redis = redis
        self.random = random
        self._http = http
        self._clock = clock
        self._record = record
        self._tasks: set[asyncio.Task[Any]] = set()
        self._calls = 0

    def now(self) -> datetime:
        """This function's wall clock: an aware UTC datetime, which may be skewed against others'."""
        return self._clock()

    async def sleep(self, seconds: float) -> None:
        """Wait on this function's timer."""
        await asyncio.sleep(seconds)

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run a background task in this function's memory: it dies with the function. Its exception is noted."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    @property
    def tasks(self) -> frozenset["asyncio.Task[Any]"]:
        """The background tasks that are running."""
        return frozenset(self._tasks)

    def _task_ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._record("task.failed", error=describe(error))

    async def stop_tasks(self) -> None:
        """Cancel this function's background tasks and wait until they ended (a graceful stop)."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def post_delivery(self, conversation: Conversation) -> tuple[int, Any]:
        """POST the delivery of a conversation to the endpoint on some live function.

        Returns the status and the decoded body. Raises `httpx.HTTPError` or `TimeoutError` if there is no answer
        within DELIVERY_TIMEOUT_SECONDS.
        """
        call = self._next_call("d")
        self._record("delivery.posted", call=call, conversation=conversation)
        try:
            async with asyncio.timeout(self.settings.delivery_timeout_seconds):
                response = await self._http.post(
                    self.settings.base_url.rstrip("/") + DELIVERY_PATH,
                    headers={
                        "Authorization": f"Bearer {self.settings.service_key.get_secret_value()}",
                        "Content-Type": "application/json",
                        "X-Request-Id": call,
                    },
                    content=encode({"instanceName": conversation.instance_name, "userPhone": conversation.user_phone}),
                )
        except (httpx.HTTPError, TimeoutError) as error:
            self._record("delivery.failed", call=call, error=describe(error))
            raise
        self._record("delivery.confirmed", call=call, status=response.status_code)
        return response.status_code, body_of(response)

    async def hand_over(self, messages: Sequence[Message], *, key: str | None = None, fence: int | None = None) -> None:
        """Give the processor a batch of one conversation; returns when it is done.

        `key` is an idempotency key (any text; its header is percent-encoded), `fence` a fencing token. Raises
        `HandOverFailed`, `HandOverUnanswered` (it may have been done) or `HandOverRefused` (the fence is stale). Waits
        HAND_OVER_TIMEOUT_SECONDS at most. Raises `TypeError` or `ValueError` for arguments of another kind, before
        anything happens.
        """
        _check_messages("hand_over", messages)
        if not isinstance(key, str | None):
            raise TypeError(f"hand_over() takes a text as key, not {type(key).__name__}")
        if not isinstance(fence, int | None):
            raise TypeError(f"hand_over() takes a whole number as fence, not {type(fence).__name__}")
        conversation = messages[0].conversation
        call = self._next_call("h")
        self._record("handover.sent", call=call, conversation=conversation, messages=messages, key=key, fence=fence)
        try:
            await self._post_batch(call, conversation, messages, key, fence)
        except HandOverError as error:
            self._record(
                "handover.failed", call=call, error=describe(error), refused=isinstance(error, HandOverRefused)
            )
            raise
        self._record("handover.confirmed", call=call)

    async def _post_batch(
        self, call: str, conversation: Conversation, messages: Sequence[Message], key: str | None, fence: int | None
    ) -> None:
        headers = {"Content-Type": "application/json", "X-Request-Id": call}
        if key is not None:
            headers["Idempotency-Key"] = header_text(key)
        if fence is not None:
            headers["Fencing-Token"] = str(int(fence))
        body = {
            "instanceName": conversation.instance_name,
            "userPhone": conversation.user_phone,
            "messages": [
                {
                    "messageId": m.message_id,
                    "text": m.text,
                    "data": m.data,
                    "sentAt": m.sent_at and m.sent_at.isoformat(),
                }
                for m in messages
            ],
        }
        try:
            async with asyncio.timeout(self.settings.hand_over_timeout_seconds):
                response = await self._http.post(self.settings.processor_url, headers=headers, content=encode(body))
        except (httpx.HTTPError, TimeoutError) as error:
            raise HandOverUnanswered(describe(error)) from error
        if response.status_code == 409:
            raise HandOverRefused("the processor has seen a higher fencing token")
        answer = body_of(response)
        if not response.is_success or (isinstance(answer, dict) and answer.get("success") is False):
            raise HandOverFailed(f"the processor answered {response.status_code}")

    async def dead_letter(self, messages: Sequence[Message], reason: str) -> None:
        """Say that these messages are given up. Where they are kept is the strategy's affair."""
        _check_messages("dead_letter", messages)
        self._record("dead_letter", messages=messages, reason=reason)

    async def report_status(self, conversation: Conversation, status: str) -> None:
        """Say how a delivery ended: "success" or "failed". Raises `ValueError` for another status."""
        if status not in ("success", "failed"):
            raise ValueError(f'report_status() takes "success" or "failed", not {status!r}')
        self._record("status", conversation=conversation, status=status)

    def note(self, event: str, /, **fields: Any) -> None:
        """Add a line to the history (the log, in production). `fields` are JSON values; no message texts.

        A field with a name that the line has already (`t`, `event`, `function`, `note`) gets a final underscore.
        """
        self._record(
            "note", note=event, **{f"{name}_" if name in _OF_A_LINE else name: fields[name] for name in fields}
        )

    def _next_call(self, kind: str) -> str:
        self._calls += 1
        return f"{self.name}-{kind}{self._calls}"


def _check_messages(what: str, messages: Sequence[Message]) -> None:
    if not messages:
        raise ValueError(f"{what}() needs at least one message")
    for message in messages:
        if not isinstance(message, Message):
            raise TypeError(f"{what}() takes messages of the class Message, not {type(message).__name__}")


def encode(body: Any) -> bytes:
    """JSON in pure ASCII, so that lone surrogates survive the way (they have no UTF-8 form)."""
    return json.dumps(body, separators=(",", ":")).encode("ascii")


def header_text(text: str) -> str:
    """Any text as an HTTP header can carry it: visible ASCII as it is, all else and `%` percent-encoded as UTF-8."""
    return quote(text.encode("utf-8", "surrogatepass"), safe=_VISIBLE)


def header_value(text: str) -> str:
    """The text that `header_text` has encoded."""
    return unquote_to_bytes(text).decode("utf-8", "surrogatepass")


def body_of(response: httpx.Response) -> Any:
    """The decoded JSON body, or None if it is none."""
    try:
        return response.json()
    except ValueError:
        return None


def describe(error: BaseException) -> str:
    """An error in one line: its type and its text."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
