"""The world of one run: it puts the parts together, lets things happen until all is quiet, and returns the history.

A run is a pure function of (code, case, strategy, choices).
"""

import asyncio
import functools
import random
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from engine.buffer.function import Function
from engine.buffer.model import Conversation, Message
from engine.buffer.runtime import Runtime
from engine.buffer.service import create_app
from engine.buffer.settings import Settings
from engine.buffer.strategy import Strategy
from engine.exploration.scheduler import Choices, Scheduler
from engine.simulation.agenda import Agenda, Step
from engine.simulation.bounds import BoundHit, Bounds, cpu_bound
from engine.simulation.case import Case
from engine.simulation.faults import LONGEST_PAUSE_MS, Faults
from engine.simulation.guard import Guard
from engine.simulation.http import FUNCTION_URL, PROCESSOR_URL, Call, Network, SimTransport
from engine.simulation.link import Link
from engine.simulation.loop import SimLoop
from engine.simulation.process import EPOCH_MS, Process
from engine.simulation.processor import Processor
from engine.simulation.provider import Provider
from engine.simulation.server import RedisServer, ServerPool
from engine.simulation.tracking import Event, Recorder

SKEW_MS = 60_000
#: After this long without anything but idle ticks, a run that still waits lets its ticks come more and more rarely.
THIN_AFTER_MS = 200_000

_POOL = ServerPool()
_GUARD = Guard()


class World:
    """One run."""

    def __init__(
        self,
        case: Case,
        strategy: type[Strategy],
        scheduler: Scheduler,
        *,
        older: type[Strategy] | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self.case = case
        self.bounds = bounds or Bounds()
        self.choices = Choices(scheduler)
        arrivals = {sending.at_ms for sending in case.sendings}
        self.agenda = Agenda(self.choices, arrivals | set(case.instants_ms), self.bounds)
        self.loop = SimLoop(self.agenda, self.bounds)
        self.record = Recorder(lambda: self.agenda.now_ms)
        self.faults = Faults(case, self.choices, self.record, lambda: self.agenda.now_ms)
        self.server = RedisServer(_POOL)
        self.agenda.ttl_ends = self.server.ttl_ends_ms
        self.agenda.before_step = self._before_step
        self.strategy = strategy
        self.older = older
        self.settings = settings_of(strategy, case.settings)
        self.processes: list[Process] = []
        self._names = 0
        self._healed = False
        self._writes = 0
        self._quiet = False
        self._last_sending_ms = max((s.at_ms for s in case.sendings), default=0)

    # -- one run -----------------------------------------------------------------------------------------------------

    def run(self) -> list[Event]:
        """Let things happen until all is quiet. Returns the history, whose last event is `end`."""
        with _GUARD.running(lambda: (EPOCH_MS + self.agenda.now_ms) / 1000):
            asyncio._set_running_loop(self.loop)
            try:
                with cpu_bound(self.bounds):
                    self._set_up()
                    reason = self._go_on()
                self._end(reason)
            except BoundHit as bound:
                self._end("bound", str(bound))
            finally:
                self.loop.close()
                asyncio._set_running_loop(None)
        return self.record.history

    def _set_up(self) -> None:
        case = self.case
        self.record(
            "start",
            strategy=self.strategy.name,
            scenario=case.scenario,
            delay_ms=self.settings.buffer_delay_ms,
            tick_ms=self.strategy.tick_ms,
            attempts=self.settings.max_retry_attempts + 1,
            shared_keys=sorted(self.strategy.shared_keys),
            functions=case.functions,
            hop_ms=list(case.hop_ms),
            processor_ms=list(case.processor_ms),
            settle_limit_s=self.settings.settle_limit_seconds,
            judged=list(case.judged) if case.judged is not None else None,
        )
        self.link = Link(
            self.agenda,
            self.loop,
            self.server,
            self.faults,
            self._redis_event,
            hop_ms=case.hop_ms,
            cluster=case.cluster,
        )
        self.network = Network(
            self.agenda,
            self.loop,
            self.faults,
            self.record,
            self,
            hop_ms=case.hop_ms,
            endpoint_failures=case.endpoint_failures,
        )
        self.processor = Processor(
            self.agenda,
            self.choices,
            self.faults,
            self.record,
            work_ms=case.processor_ms,
            failures=case.processor_failures,
        )
        self.network.processor = self.processor.arrive
        for number in range(case.functions):
            old = self.older is not None and number < max(1, case.functions - 1)
            self._start_function(self.older if old and self.older is not None else self.strategy)
        if self.older is not None:
            self.agenda.at("rollout", "the old functions stop", None, self._roll_out, case.rollout_at_ms)
        for start, end in case.outages_ms:
            self.agenda.at(
                "outage", "Redis goes away", None, lambda start=start, end=end: self._outage(end - start), start
            )
        self.provider = Provider(
            self.agenda,
            self.network,
            self.choices,
            self.faults,
            self.record,
            case,
            self.settings.webhook_timeout_seconds * 1000,
        )

    def _go_on(self) -> str:
        while True:
            if not self._healed and self._may_heal():
                self._heal()
            if not self.agenda.busy and self._settled():
                return "quiet"
            if self._healed and self.agenda.now_ms > self._limit_ms:
                return "settle_limit"
            if not self.agenda.advance():
                return "quiet"

    def _settled(self) -> bool:
        if self.provider.unsent:
            return False
        ticking = any(p.function.strategy.tick_ms is not None for p in self.processes if p.alive)
        if ticking and (self.record.waiting or not self._quiet or self._unfinished_keys()):
            return False
        if not self._healed:
            self._heal()
        return True

    def _unfinished_keys(self) -> bool:
        """Whether a key is left that would never end: a design that still holds a claim or a lock needs more ticks."""
        return any(end is None and not self._is_shared(key) for key, (_, end) in self.server.keys().items())

    def _is_shared(self, key: str) -> bool:
        return any(
            key.startswith(name[:-1]) if name.endswith("*") else key == name for name in self.strategy.shared_keys
        )

    def _end(self, reason: str, bound: str | None = None) -> None:
        now = self.agenda.now_ms
        for instance, phone, message_id in self.record.waiting:
            self.record("waiting", conversation=[instance, phone], id=message_id)
        # The clock jumps past the longest TTL: what has none stays.
        keys = {key: kind for key, (kind, end) in self.server.keys().items() if end is None}
        at_end = {key: kind for key, (kind, end) in self.server.keys().items() if end is None or end >= now}
        fields = {"bound": bound} if bound is not None else {}
        self.record("end", reason=reason, completed=bound is None, keys=keys, keys_before_expiry=at_end, **fields)

    # -- functions ---------------------------------------------------------------------------------------------------

    def _start_function(self, strategy: type[Strategy]) -> Process:
        index = self._names
        self._names += 1
        name = f"f{index + 1}"
        offsets, drifts = self.case.clock_offsets_ms, self.case.clock_drifts_ppm
        offset = offsets[index] if index < len(offsets) else 0
        drift = drifts[index] if index < len(drifts) else 0
        if self.faults.strike(f"{name} starts", name, ("clock_skew",)):
            offset = self.faults.number(f"skew {name}", name, 0, 2 * SKEW_MS, default=SKEW_MS) - SKEW_MS
        elif offset or drift:
            self.record("fault", kind="clock_skew", actor=name, offset_ms=offset, drift_ppm=drift)
        process = Process(name, offset_ms=offset, drift_ppm=drift)
        self.processes.append(process)
        process.context.run(self._boot, process, strategy, runs_cleanup=not any(p.runs_cleanup for p in self._alive()))
        return process

    def _boot(self, process: Process, strategy: type[Strategy], *, runs_cleanup: bool) -> None:
        settings = self.settings if strategy is self.strategy else settings_of(strategy, self.case.settings)

        def record(event: str, **fields: Any) -> None:
            self._function_event(process, event, fields)

        runtime = Runtime(
            name=process.name,
            settings=settings,
            redis=redis_client(),
            http=httpx.AsyncClient(
                transport=SimTransport(self.network, self.loop, process), timeout=None, trust_env=False
            ),
            clock=lambda: process.clock(self.agenda.now_ms),
            random=random.Random(f"{process.name}/{self.case.scenario}"),
            record=record,
        )
        process.runs_cleanup = runs_cleanup
        process.function = Function(strategy(runtime), runtime, record, runs_cleanup=runs_cleanup)
        process.app = create_app(process.function, settings)
        process.function.start_periodic()
        process.periodic = frozenset(runtime.tasks)
        self.loop.drain()

    def _function_event(self, process: Process, event: str, fields: Mapping[str, Any]) -> None:
        if not process.alive or self.loop.is_closed():
            return
        plain = {name: plain_value(value) for name, value in fields.items()}
        if event == "dead_letter":
            plain["conversation"] = plain_value(fields["messages"][0].conversation)
        if event in ("tick.began", "cleanup.began"):
            process.in_period += 1
            process.writes_before = self._writes
        elif event in ("tick.ended", "tick.failed", "cleanup.ended", "cleanup.failed"):
            process.in_period -= 1
            if event == "tick.ended" and process.writes_before == self._writes:
                self._quiet = True
        self.record(event, function=process.name, **plain)

    def _alive(self) -> list[Process]:
        return [process for process in self.processes if process.alive]

    def _stop(self, process: Process, reason: str) -> None:
        """The function stops: nothing of it runs again. What it had sent may still arrive."""
        process.alive = False
        self.record("function.stopped", function=process.name, reason=reason)
        for step in [*process.steps, *process.backlog]:
            self.agenda.cancel(step)
        for stop in list(process.on_stop):
            stop()
        process.handles.clear()
        self.processes.remove(process)

    def _replace(self, process: Process, reason: str) -> None:
        strategy = type(process.function.strategy)
        self._stop(process, reason)
        if self.older is not None and self.agenda.now_ms >= self.case.rollout_at_ms:
            strategy = self.strategy
        fresh = self._start_function(strategy)
        self.record("function.started", function=fresh.name)

    def _roll_out(self) -> None:
        for process in [p for p in self._alive() if type(p.function.strategy) is self.older]:
            self._replace(process, "rollout")

    # -- what happens to steps ---------------------------------------------------------------------------------------

    def _before_step(self, step: Step) -> bool:
        process = step.owner
        if process is None:
            return True
        if not process.alive:
            self.agenda.cancel(step)
            return False
        process.steps.pop(step, None)
        if step.idle:
            if not step.held and self._may_thin():
                step.held = True
                process.steps[step] = None
                self.agenda.postpone(step, min(60_000, self.agenda.now_ms // 20))
                return False
        fault = self.faults.strike(step.name, process.name, ("crash", "pause")) if self.faults.armed else None
        if fault == "crash":
            self.agenda.cancel(step)
            self._replace(process, "crash")
            return False
        if fault == "pause":
            self._pause(process, step)
            return False
        return True

    def _pause(self, process: Process, step: Step) -> None:
        process.paused = True
        process.backlog.append(step)
        longest = max(1, min(LONGEST_PAUSE_MS, self.case.heal_ms - self.agenda.now_ms))
        self.agenda.work(f"pause of {process.name}", process.name, lambda: self._resume(process), (1, longest))

    def _resume(self, process: Process) -> None:
        if not process.alive or not process.paused:
            return
        process.paused = False
        self.record("function.resumed", function=process.name)
        backlog, process.backlog = process.backlog, []
        handles, process.handles = process.handles, []
        calls, process.calls = process.calls, []
        self.loop.resume(handles)
        self.agenda.release(backlog)
        for call in calls:
            call()

    def _outage(self, for_ms: int) -> None:
        self.record("fault", kind="unreachable", for_ms=for_ms)
        self.link.go_down(for_ms)

    # -- routing (the network's Router) ------------------------------------------------------------------------------

    def route(self, call: Call) -> Process:
        """Which live function gets a call is a choice; functions alike and untouched are offered once."""
        alive = self._alive()
        offered = [p for p in alive if p.touched or p.offset_ms or p.function.strategy.tick_ms is not None]
        fresh = [p for p in alive if p not in offered]
        offered += fresh[:1]
        index = self.choices.number("route", f"route {call.name}", 0, len(offered) - 1, shape="uniform")
        offered[index].touched = True
        return offered[index]

    def served(self, call: Call, process: Process, status: int) -> None:
        """A function has answered; a scenario may retire it now."""
        if call.kind == "webhook" and self.case.retire_after_ms is not None:
            self.agenda.at(
                "platform",
                f"{process.name} is retired",
                None,
                lambda: self._retire(process),
                self.agenda.now_ms + self.case.retire_after_ms,
            )

    def _retire(self, process: Process) -> None:
        # A platform stops no function that is serving a call.
        if process.alive and not process.open_calls:
            self._replace(process, "retired")

    # -- healing -----------------------------------------------------------------------------------------------------

    def _may_heal(self) -> bool:
        return self.agenda.now_ms >= self.case.heal_ms and not self.provider.unsent and self.server.reachable

    def _heal(self) -> None:
        self._healed = True
        self.faults.heal()
        self.link.come_back()
        self.record("healed")
        self._limit_ms = self.agenda.now_ms + self.settings.settle_limit_seconds * 1000

    def _may_thin(self) -> bool:
        since = max(self.case.heal_ms, self._last_sending_ms) + THIN_AFTER_MS
        return self.agenda.now_ms > since and not self.agenda.busy

    def _redis_event(self, event: str, **fields: Any) -> None:
        if event == "redis.executed" and not all(self._is_shared(key) for key in fields["writes"]):
            self._writes += 1
            self._quiet = False
        self.record(event, **fields)


def redis_client() -> "redis.asyncio.Redis":
    """The client that a strategy gets: bytes, a time-out of 5 s, no retries, no handshake (RESP2, no library name)."""
    return redis.asyncio.Redis(
        host="redis.internal",
        socket_timeout=5,
        socket_connect_timeout=5,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        lib_name=None,
        lib_version=None,
    )


def settings_of(strategy: type[Strategy], given: Mapping[str, Any]) -> Settings:
    """The settings of a simulated function; the environment is not read."""
    return _settings(strategy, tuple(given.items()))


@functools.lru_cache(maxsize=1_000)
def _settings(strategy: type[Strategy], given: tuple[tuple[str, Any], ...]) -> Settings:
    # Validating them takes longer than a short run.
    urls = {"BASE_URL": FUNCTION_URL, "PROCESSOR_URL": PROCESSOR_URL}
    return Settings.fixed(strategy.default_settings, {**dict(given), **urls})


def plain_value(value: Any) -> Any:
    """A field of a function's event as a JSON value."""
    if isinstance(value, Conversation):
        return [value.instance_name, value.user_phone]
    if isinstance(value, Message):
        return {"id": value.message_id, "text": value.text, "data": value.data}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [plain_value(each) for each in value]
    return value
