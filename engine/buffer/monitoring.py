"""The plan's monitoring: a log line an event, counts and latencies for Prometheus, and where each message is.

A line is a JSON object. What a person must see is a warning, one line for each thing that went wrong.

It takes the same events as a simulation's history (`docs/history.md`). No text, data or secret of a message gets into
a line: of messages the ids, of a note only plain values under harmless names. What is remembered is bounded.
"""

import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from engine.buffer.metrics import Metrics
from engine.buffer.model import Backlog, Conversation, Message
from engine.buffer.tracking import Tracking

_log = logging.getLogger("bufferproof")

_HIDDEN = frozenset({"text", "texts", "data", "body", "token", "owner", "secret", "apikey", "authorization"})
_TEXT_CHARS_MAX = 300
_STAGE_OF_EVENT = {
    "webhook.arrived": "received",
    "handover.sent": "handed over",
    "handover.confirmed": "processed",
    "handover.failed": "failed",
    "dead_letter": "dead-lettered",
}

MessageName = tuple[str, str, str]


class Monitoring:
    """A recorder for production. Switched off, it logs failures only and keeps nothing."""

    def __init__(
        self,
        *,
        enabled: bool,
        monotonic: Callable[[], float],
        capacity: int = 10_000,
        tracking: Tracking | None = None,
    ) -> None:
        """`monotonic` gives seconds; `capacity` is how many messages, and how many calls, are remembered."""
        self._enabled = enabled
        self._tracking = tracking
        self._monotonic = monotonic
        self._capacity = capacity
        self._stages: OrderedDict[MessageName, str] = OrderedDict()
        self._received: OrderedDict[MessageName, float] = OrderedDict()
        self._calls: OrderedDict[str, tuple[float, list[MessageName], str | None]] = OrderedDict()
        self._metrics = Metrics()

    def __call__(self, event: str, **fields: Any) -> None:
        """Record one event."""
        level = logging.WARNING if _is_failure(event, fields) else logging.INFO
        if self._enabled or level == logging.WARNING:
            _log.log(level, json.dumps({"event": event, **_harmless(fields)}))
        if self._enabled:
            self._metrics.count(event, fields)
            self._follow_call(event, fields)

    def where_is(self, conversation: Conversation, message_id: str) -> str | None:
        """Where a message is, as far as this function saw it, or None if it did not or has forgotten.

        received, refused, buffered, handed over, processed, failed (not confirmed, or not accepted), dead-lettered.
        """
        return self._stages.get((conversation.instance_name, conversation.user_phone, message_id))

    def exposition(self, backlog: Backlog | None = None) -> bytes:
        """Counts and latencies in the Prometheus text format, and what waits if it is known."""
        return self._metrics.exposition(backlog)

    def _follow_call(self, event: str, fields: dict[str, Any]) -> None:
        operation, _, step = event.partition(".")
        call = fields.get("call")
        names = _names(fields.get("messages", ()))
        batch: str | None = fields.get("key")
        if call is not None and step in ("sent", "posted", "arrived"):
            self._remember(self._calls, call, (self._monotonic(), names, batch))
        elif call is not None and call in self._calls and step in ("confirmed", "failed", "answered"):
            began, names, batch = self._calls.pop(call)
            failed = _is_failure(event, fields)
            self._metrics.ended(operation, self._monotonic() - began, failed=failed, messages=len(names))
        self._follow_messages(event, names, fields, batch)

    def _follow_messages(self, event: str, names: list[MessageName], fields: dict[str, Any], batch: str | None) -> None:
        if event == "webhook.arrived":
            for name in names:
                self._remember(self._received, name, self._monotonic())
        elif event == "webhook.answered":
            self._answered(names, accepted=not _is_failure(event, fields))
        elif event == "handover.confirmed":
            self._observe_ages(names)
        if event in _STAGE_OF_EVENT:
            for name in names:
                self._reached(name, _STAGE_OF_EVENT[event], batch)
        elif event == "webhook.repeated" and self._tracking is not None:
            for name in names:
                self._tracking.note(*name, "repeated")

    def _answered(self, names: list[MessageName], *, accepted: bool) -> None:
        # A message that fell back to an immediate hand-over is further than "buffered" by now.
        for name in names:
            if self._stages.get(name) == "received":
                self._reached(name, "buffered" if accepted else "refused", None)

    def _observe_ages(self, names: list[MessageName]) -> None:
        for name in names:
            received = self._received.pop(name, None)
            if received is not None:
                self._metrics.answered(self._monotonic() - received)

    def _reached(self, name: MessageName, stage: str, batch: str | None) -> None:
        self._remember(self._stages, name, stage)
        if self._tracking is not None:
            self._tracking.note(*name, stage, batch)

    def _remember(self, memory: "OrderedDict[Any, Any]", key: Any, value: Any) -> None:
        memory[key] = value
        memory.move_to_end(key)
        if len(memory) > self._capacity:
            memory.popitem(last=False)


def _is_failure(event: str, fields: dict[str, Any]) -> bool:
    if event == "redis.failed":
        return False  # what came of it is said where a call or a task failed for it: one line for one thing
    status = fields.get("status")
    bad_status = status == "failed" or (isinstance(status, int) and status >= 400)
    return event.endswith(".failed") or event == "dead_letter" or bad_status


def _names(messages: Sequence[Message]) -> list[MessageName]:
    return [(m.conversation.instance_name, m.conversation.user_phone, m.message_id) for m in messages]


def _harmless(fields: dict[str, Any]) -> dict[str, Any]:
    """What of an event's fields may stand in a log."""
    shown: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "messages":
            shown["ids"] = [message.message_id for message in value]
        elif isinstance(value, Conversation):
            shown[name] = [value.instance_name, value.user_phone]
        elif name.lower() in _HIDDEN:
            continue
        elif isinstance(value, str):
            shown[name] = value[:_TEXT_CHARS_MAX]
        elif value is None or isinstance(value, bool | int | float):
            shown[name] = value
    return shown
