"""The HTTP network: a request hop, an arrival at some live function or at the processor, a reply hop.

Functions call through httpx with `SimTransport`; the provider calls `send` itself. What arrives at a function runs in
its ASGI app, in that function's own context.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from engine.simulation.agenda import Agenda
from engine.simulation.faults import Faults
from engine.simulation.loop import SimLoop, where
from engine.simulation.process import Process

FUNCTION_URL = "http://functions.internal"
PROCESSOR_URL = "http://processor.internal/process"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP call on its way. `kind` is `webhook`, `delivery` or `handover`."""

    kind: str
    id: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    name: str
    actor: str
    caller: Process | None
    done: Callable[[Answer | Exception], None]


Reply = Callable[[Answer | None], None]
"""Answers a call; None: the connection breaks without an answer."""


class Router(Protocol):
    """Who gets a call, and what else an arrival means. The world is one."""

    def route(self, call: Call) -> Process:
        """The live function that gets this call."""

    def served(self, call: Call, process: Process, status: int) -> None:
        """A function answered."""


class Network:
    """All HTTP calls of a run."""

    def __init__(
        self,
        agenda: Agenda,
        loop: SimLoop,
        faults: Faults,
        record: Callable[..., None],
        router: Router,
        *,
        hop_ms: tuple[int, int],
        endpoint_failures: int,
    ) -> None:
        self._agenda = agenda
        self._loop = loop
        self._faults = faults
        self._record = record
        self._router = router
        self._hop_ms = hop_ms
        self.failures_left = endpoint_failures
        self._serving: dict[asyncio.Task[Any], tuple[Process, Call]] = {}
        self.processor: Callable[[Call, Reply], None] = lambda call, reply: reply(None)

    def send(self, call: Call) -> None:
        """Put a call on its way; a fault may strike it."""
        kinds = ["request_lost", "reply_lost", "stall"]
        if call.kind == "delivery":
            kinds.append("delivery_repeated")
        fault = self._faults.strike(call.name, call.actor, kinds, call=call.id)
        stall_ms = self._faults.stall_ms(call.name, call.actor, self._hop_ms) if fault == "stall" else 0
        reply_stalls = bool(stall_ms and self._faults.which(f"which hop {call.name}", call.actor, 2))
        if fault == "request_lost":
            self._answer(call, None, 0)
            return

        def reply(answer: Answer | None) -> None:
            self._answer(call, None if fault == "reply_lost" else answer, stall_ms if reply_stalls else 0)

        extra = 0 if reply_stalls else stall_ms
        self._travel(call, reply, extra)
        if fault == "delivery_repeated":
            self._travel(call, lambda answer: None, 0)

    def _travel(self, call: Call, reply: Reply, extra_ms: int) -> None:
        self._agenda.hop(
            f"{call.name} request", call.actor, None, lambda: self._arrive(call, reply), self._hop_ms, extra_ms
        )

    def _answer(self, call: Call, answer: Answer | None, extra_ms: int) -> None:
        outcome: Answer | Exception = answer if answer is not None else httpx.ReadError("connection broken")
        self._agenda.hop(
            f"{call.name} reply", call.actor, call.caller, lambda: call.done(outcome), self._hop_ms, extra_ms
        )

    def _arrive(self, call: Call, reply: Reply) -> None:
        if call.kind == "handover":
            self.processor(call, reply)
        elif call.kind == "delivery" and self.failures_left > 0:
            self._agenda.touch("endpoint")
            self.failures_left -= 1
            self._record("fault", kind="endpoint_failure", call=call.id)
            reply(Answer(503, b"{}"))
        else:
            self._serve(call, self._router.route(call), reply)

    def _serve(self, call: Call, process: Process, reply: Reply) -> None:
        answered = False

        def stopped() -> None:
            nonlocal answered
            if not answered:
                answered = True
                reply(None)

        def finish(answer: Answer) -> None:
            nonlocal answered
            if not answered:
                answered = True
                process.open_calls -= 1
                process.on_stop.remove(stopped)
                if call.kind == "webhook":
                    self._agenda.touch("provider", "", writes=False)  # which conversation's it was, is not known here
                self._record(f"{call.kind}.answered", call=call.id, function=process.name, status=answer.status)
                reply(answer)
                self._router.served(call, process, answer.status)

        process.open_calls += 1
        self._agenda.touch("function", process.name)

        def start() -> None:
            self._record(f"{call.kind}.arrived", call=call.id, function=process.name)
            process.context.run(self._start_app, call, process, finish)

        process.on_stop.append(stopped)
        if process.paused:
            process.calls.append(start)
        else:
            start()

    def _start_app(self, call: Call, process: Process, finish: Callable[[Answer], None]) -> None:
        task = self._loop.create_task(run_asgi(process.app, call, finish))
        task.serves = True
        self._serving[task] = (process, call)
        task.add_done_callback(self._serving.pop)

    def unanswered(self) -> list[str]:
        """What live functions have not answered, and where they wait, a line each."""
        return [
            f"{process.name} never answered the {call.kind} call {call.id}: it waits{where(task.get_coro())}"
            for task, (process, call) in self._serving.items()
            if process.alive
        ]


async def run_asgi(app: Any, call: Call, finish: Callable[[Answer], None]) -> None:
    """Run one request through an ASGI app."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": call.path,
        "raw_path": call.path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in call.headers],
        "server": ("functions.internal", 80),
        "client": ("client.internal", 1),
    }
    status, body, delivered = 500, b"", False

    async def receive() -> dict[str, Any]:
        nonlocal delivered
        if delivered:
            return {"type": "http.disconnect"}
        delivered = True
        return {"type": "http.request", "body": call.body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, body
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            body += message.get("body", b"")

    try:
        await app(scope, receive, send)
    except Exception:
        status, body = 500, b"{}"
    finish(Answer(status, body))


class SimTransport(httpx.AsyncBaseTransport):
    """httpx' way into the simulated network, for one function."""

    _network: Network
    _loop: SimLoop
    _process: Process

    def connect(self, network: Network, loop: SimLoop, process: Process) -> None:
        """What is sent from now on, is sent by this function."""
        self._network = network
        self._loop = loop
        self._process = process

    def disconnect(self) -> None:
        """Nobody uses it."""
        del self._network, self._loop, self._process

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, wait for its answer. Raises `httpx.ConnectError` for a host that is not there."""
        kind = {"functions.internal": "delivery", "processor.internal": "handover"}.get(request.url.host)
        if kind is None:
            raise httpx.ConnectError(f"no such host in the simulation: {request.url.host}", request=request)
        body = await request.aread()
        answered = self._loop.create_future()
        call_id = request.headers.get("x-request-id", "")
        process = self._process
        self._network.send(
            Call(
                kind=kind,
                id=call_id,
                path=request.url.path,
                headers=tuple(request.headers.items()),
                body=body,
                name=f"{process.name} {kind}",
                actor=process.name,
                caller=process,
                done=lambda outcome: None if answered.done() else answered.set_result(outcome),
            )
        )
        outcome = await answered
        if isinstance(outcome, Exception):
            raise outcome
        return httpx.Response(outcome.status, headers={"content-type": "application/json"}, content=outcome.body)
