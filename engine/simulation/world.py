"""The world of one run: it puts the parts together, lets things happen until all is quiet, and returns the history.

A run is a pure function of (code, case, strategy, choices).
"""

import asyncio
import sys
from collections.abc import Iterable
from functools import partial

from engine.buffer.scripts import Script
from engine.buffer.strategy import Strategy
from engine.exploration.scheduler import Choices, Scheduler
from engine.simulation.agenda import Agenda, Coarse, Step
from engine.simulation.bounds import BoundHit, Bounds, cpu_bound
from engine.simulation.case import Case
from engine.simulation.faults import Faults
from engine.simulation.functions import Functions
from engine.simulation.guard import Guard
from engine.simulation.http import Network
from engine.simulation.link import Link
from engine.simulation.loop import SimLoop
from engine.simulation.process import EPOCH_MS
from engine.simulation.processor import Processor
from engine.simulation.provider import Provider
from engine.simulation.server import RedisServer, ServerPool
from engine.simulation.setting import settings_of
from engine.simulation.thinning import Thinning
from engine.simulation.tracking import Event, Recorder

__all__ = ["World", "settings_of"]

#: A design whose every tick or poll writes something is done when there was no news for so long, or for so many ticks.
CALM_MS = 60_000
CALM_TICKS = 5
#: After a fault, what a design keeps in keys that it shares (entries not acknowledged) may still come back for so long.
LINGER_MS = 400_000
#: A design that goes on doubling what is settled would do so until the settle limit: after so many effects all is said.
DOUBLED_MAX = 30
#: How long a run waits for failures that its case has planned and that no call has met yet: the retry horizon and more.
PLANNED_FAILURES_MS = 600_000

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
        server: RedisServer | None = None,
    ) -> None:
        self.case = case
        self.bounds = bounds or Bounds()
        self.choices = Choices(scheduler)
        arrivals = {sending.at_ms for sending in case.sendings}
        coarse = None if case.holds_max is None else Coarse(case.holds_max, case.holds_until_ms)
        self.agenda = Agenda(self.choices, arrivals | set(case.instants_ms), self.bounds, coarse=coarse)
        self.loop = SimLoop(self.agenda, self.bounds)  # type: ignore[abstract]  # it has what is used of a loop
        self.loop.refuse = _GUARD.refuse
        self.record = Recorder(lambda: self.agenda.now_ms, by_instant=coarse is not None)
        self.faults = Faults(case, self.choices, self.record, lambda: self.agenda.now_ms, self.agenda.touch)
        self.server = server or RedisServer(_POOL)
        self.agenda.ttl_ends = self.server.ttl_ends_ms
        self.agenda.before_step = self._before_step
        self.strategy = strategy
        self.settings = settings_of(strategy, case.settings)
        self.functions = Functions(
            case, strategy, older, self.agenda, self.loop, self.choices, self.faults, self.record
        )
        self._healed = False
        self._healed_ms = 0
        self._lingered_ms = -1  # when the run had lingered and was healed, which is no news to linger after again
        #: Where a number may stand that is no work: a name with a `*` is one of many keys, which may be due times.
        self._counters = frozenset(name for name in strategy.shared_keys if not name.endswith("*"))

    # -- one run -----------------------------------------------------------------------------------------------------

    def run(self) -> list[Event]:
        """Let things happen until all is quiet. Returns the history, whose last event is `end`.

        Raises `NondeterminismError` if the strategy used a clock or randomness that is not its `Runtime`'s.
        """
        with _GUARD.running(lambda: (EPOCH_MS + self.agenda.now_ms) / 1000, self.strategy):
            outer = asyncio._get_running_loop()  # a notebook's, whose kernel goes on with it afterwards
            asyncio._set_running_loop(self.loop)
            hooks = sys.get_asyncgen_hooks()
            sys.set_asyncgen_hooks(firstiter=None, finalizer=self.loop.abandoned)
            try:
                self._run()
            finally:
                if self.choices.observer is not None:
                    self.choices.observer.end_run()
                for process in self.functions.alive:
                    process.alive = False  # what their coroutines do while they are closed reaches nothing
                self.loop.close()
                asyncio._set_running_loop(outer)
                sys.set_asyncgen_hooks(*hooks)
            self.functions.give_back()
        return self.record.history

    def _run(self) -> None:
        try:
            with cpu_bound(self.bounds):
                self._set_up()
                reason = self._go_on()
        except BoundHit as bound:
            self._end("bound", "; ".join([str(bound), *self.functions.hanging()]))
            return
        hanging = self.functions.hanging() if reason == "quiet" else []
        if hanging:
            self._end("bound", "nothing can happen any more, but " + "; ".join(hanging))
        else:
            self._end(reason)

    def _set_up(self) -> None:
        case, agenda, loop, faults, record = self.case, self.agenda, self.loop, self.faults, self.record
        self._record_start()
        self.link = Link(agenda, loop, self.server, faults, record, hop_ms=case.hop_ms, cluster=case.cluster)
        self.link.written = self._keys_changed
        self.network = self.functions.network = Network(
            agenda, loop, faults, record, self.functions, hop_ms=case.hop_ms, endpoint_failures=case.endpoint_failures
        )
        self.processor = Processor(
            agenda, self.choices, faults, record, work_ms=case.processor_ms, failures=case.processor_failures
        )
        self.network.processor = self.processor.arrive
        if case.scripts_cached:
            self.server.load_scripts(Script.all_of(self.strategy))
        self.functions.start_all()
        for start_ms, end_ms in case.outages_ms:
            agenda.at("outage", "Redis goes away", None, partial(self._outage, start_ms, end_ms), start_ms)
        self.provider = Provider(
            agenda,
            self.network,
            self.choices,
            faults,
            record,
            case,
            timeout_ms=self.settings.webhook_timeout_seconds * 1000,
            repeat_horizon_ms=self.settings.repeat_horizon_seconds * 1000,
        )
        self.thinning = Thinning(
            agenda,
            record,
            self.provider.upcoming_ms,
            self._ends_ms,
            tick_ms=self.strategy.tick_ms,
            delay_ms=self.settings.buffer_delay_ms,
            settle_ms=self.settings.settle_limit_seconds * 1000,
        )

    def _ends_ms(self, keys: Iterable[str]) -> list[int]:
        """When the TTLs of these keys end, of those that have one."""
        there = self.server.keys()
        return [end for key in keys if (end := there.get(key, ("", None))[1]) is not None]

    def _record_start(self) -> None:
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

    def _go_on(self) -> str:
        while True:
            if self.agenda.between_instants:
                if not self._healed and self._may_heal():
                    self._heal()
                if not self.agenda.busy and self._settled():
                    return "quiet"
                if self._healed and self.agenda.now_ms > self._limit_ms and not self.provider.to_send:
                    return "settle_limit"
                if self._healed and self.record.doubled > DOUBLED_MAX and not self.record.waiting:
                    return "no_end"
            if not self.agenda.advance():
                return "quiet"

    def _settled(self) -> bool:
        """Whether all is done, when nothing is pending but idle ticks: nothing waits, and one more tick changed no key."""
        if self.provider.unsent:
            return False
        may_go_on = self.functions.ticks or self.functions.polls or self.server.tells_of_ends
        if may_go_on and self._unfinished():
            return False
        if not self._healed:
            self._heal()  # nothing is left for a fault to strike but ticks
            self._lingered_ms = self._healed_ms
            return not self.functions.ticks
        return True

    def _unfinished(self) -> bool:
        if self.record.waiting or self._unfinished_keys():
            return True
        calm_ms = self.agenda.now_ms - self.record.news_ms
        if self.case.holds_max is None:
            if (
                self.record.faults
                and self.record.news_ms != self._lingered_ms
                and calm_ms < LINGER_MS
                and self.strategy.shared_keys
                and any(self.server.lasting_keys())
                and self.server.may_come_back(self._counters, self.agenda.now_ms + LINGER_MS)
            ):
                return True
            if self.functions.polls and calm_ms < CALM_MS:
                return True
            if calm_ms > max(CALM_MS, CALM_TICKS * (self.strategy.tick_ms or 0)):
                return False
        return self.functions.ticks and not self.record.stillness.reached

    def _unfinished_keys(self) -> bool:
        """Whether a key is left that would never end: a design that still holds a claim or a lock needs more ticks."""
        return any(not self._is_shared(key) for key in self.server.lasting_keys())

    def _is_shared(self, key: str) -> bool:
        return any(
            key.startswith(name[:-1]) if name.endswith("*") else key == name for name in self.strategy.shared_keys
        )

    def _end(self, reason: str, bound: str | None = None) -> None:
        now = self.agenda.now_ms
        for instance, phone, message_id in self.record.waiting:
            self.record("waiting", conversation=[instance, phone], id=message_id)
        keys = self.server.keys()
        # The clock jumps past the longest TTL: what has none stays.
        staying = {key: kind for key, (kind, end) in keys.items() if end is None}
        before = {key: kind for key, (kind, end) in keys.items() if end is None or end >= now}
        fields = {"bound": bound} if bound is not None else {}
        self.record("end", reason=reason, completed=bound is None, keys=staying, keys_before_expiry=before, **fields)

    # -- what happens to steps ---------------------------------------------------------------------------------------

    def _before_step(self, step: Step) -> bool:
        """Whether the step may happen now: its function lives, and no fault strikes it."""
        process = step.owner
        if process is None:
            return True
        if not process.alive:
            self.agenda.cancel(step)
            return False
        process.steps.pop(step, None)
        # Not in a coarse run: there it would depend on the order of what happens at an instant.
        if step.thins and not step.held and self.case.holds_max is None and (late_ms := self.thinning.late_ms()):
            step.held = True
            process.steps[step] = None
            self.agenda.postpone(step, late_ms)
            return False
        return not self.functions.strike(process, step)

    def _keys_changed(self, keys: list[str]) -> None:
        self.thinning.note_written(keys)
        if not all(self._is_shared(key) for key in keys):
            self.record.stillness.disturb()

    def _outage(self, start_ms: int, end_ms: int) -> None:
        self.record("fault", kind="unreachable", for_ms=end_ms - start_ms)
        self.link.go_down(end_ms - start_ms)

    # -- healing -----------------------------------------------------------------------------------------------------

    def _may_heal(self) -> bool:
        """Whether the time of faults is over: the last message is sent, and no fault is still about to strike."""
        now = self.agenda.now_ms
        if now < self.case.heal_ms or self.link.brewing or not self.server.reachable:
            return False
        if self.provider.unsent and not self.case.faults:
            return False
        if any(process.paused for process in self.functions.alive):
            return False
        planned = self.network.failures_left or self.processor.failures_left
        return not planned or now > self.case.heal_ms + PLANNED_FAILURES_MS

    def _heal(self) -> None:
        self._healed = True
        self._healed_ms = self.agenda.now_ms
        self.faults.heal()
        self.network.failures_left = 0
        self.processor.failures_left.clear()
        self.link.come_back()
        self.record("healed")
        self.record.stillness.disturb()

    @property
    def _limit_ms(self) -> int:
        """What waits this late is a violation: the settle limit after healing, or after the provider sent something since."""
        since = max(self._healed_ms, self.provider.last_sent_ms)
        return since + self.settings.settle_limit_seconds * 1000
