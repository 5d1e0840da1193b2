"""The functions of a run: how each is made, stopped, paused and replaced, and which one gets a call."""

import asyncio
import random
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.buffer.errors import UsageError
from engine.buffer.function import Function
from engine.buffer.runtime import Runtime, describe
from engine.buffer.strategy import Strategy
from engine.exploration.scheduler import Choices
from engine.simulation.agenda import Agenda, Step
from engine.simulation.case import Case
from engine.simulation.faults import LONGEST_PAUSE_MS, Faults
from engine.simulation.files import is_design_file
from engine.simulation.http import Call, Network
from engine.simulation.loop import SimLoop, SimTask, where
from engine.simulation.memory import of_its_own
from engine.simulation.plain import by_conversation, plain_value
from engine.simulation.process import Process
from engine.simulation.setting import settings_of
from engine.simulation.stock import Outfit, Stock, redis_client
from engine.simulation.tracking import Recorder

SKEW_MS = 60_000
#: A clock that drifts gains or loses this much at most: ten times what NTP tolerates (500 ppm).
DRIFT_PPM = 5_000

#: What functions say and judges compare with what happens at the processor.
_JUDGED = ("handover.", "dead_letter", "status")
_BEGAN = {"tick.began": "tick", "cleanup.began": "cleanup"}
_ENDED = frozenset({"tick.ended", "tick.failed", "cleanup.ended", "cleanup.failed"})


_STOCK = Stock()


class Functions:
    """All functions of one run. It is the network's router."""

    network: Network

    def __init__(
        self,
        case: Case,
        strategy: type[Strategy],
        older: type[Strategy] | None,
        agenda: Agenda,
        loop: SimLoop,
        choices: Choices,
        faults: Faults,
        record: Recorder,
    ) -> None:
        self._case = case
        self._strategy = strategy
        self._older = older
        self._agenda = agenda
        self._loop = loop
        self._choices = choices
        self._faults = faults
        self._record = record
        self._started = 0
        self._borrowed: list[Outfit] = []
        self.alive: list[Process] = []

    # -- their lives -------------------------------------------------------------------------------------------------

    def start_all(self) -> None:
        """Start as many as the case says; in a rollout the last one is new already."""
        count = self._case.functions
        for number in range(count):
            older = self._older if number < max(1, count - 1) else None
            self._start(older or self._strategy)
        if self._older is not None:
            self._agenda.at("rollout", "the old functions stop", None, self._roll_out, self._case.rollout_at_ms)

    def _start(self, strategy: type[Strategy]) -> Process:
        index = self._started
        self._started += 1
        name = f"f{index + 1}"
        offset_ms, drift_ppm = self._clock_of(index, name)
        process = Process(name, offset_ms=offset_ms, drift_ppm=drift_ppm)
        process.runs_cleanup = not any(p.runs_cleanup for p in self.alive)
        self.alive.append(process)
        process.context.run(self._boot, process, strategy)
        return process

    def _clock_of(self, index: int, name: str) -> tuple[int, int]:
        """Offset (ms) and drift (parts per million) of a new function's clock: the case's, or a fault's."""
        offsets, drifts = self._case.clock_offsets_ms, self._case.clock_drifts_ppm
        offset_ms = offsets[index] if index < len(offsets) else 0
        drift_ppm = drifts[index] if index < len(drifts) else 0
        if self._faults.strike(f"{name} starts", name, ("clock_skew",)):
            offset_ms = self._off_by(f"skew {name}", name, SKEW_MS, default=SKEW_MS)
            drift_ppm = self._off_by(f"drift {name}", name, DRIFT_PPM, default=0)
        elif offset_ms or drift_ppm:
            self._record("fault", kind="clock_skew", actor=name, offset_ms=offset_ms, drift_ppm=drift_ppm)
        return offset_ms, drift_ppm

    def _off_by(self, what: str, name: str, bound: int, *, default: int) -> int:
        return self._faults.number(what, name, -bound, bound, default=default, shape="uniform")

    def _boot(self, process: Process, strategy: type[Strategy]) -> None:
        settings = settings_of(strategy, self._case.settings)
        outfit = _STOCK.lend(settings)
        self._borrowed.append(outfit)
        outfit.connect(self.network, self._loop, process)

        def record(event: str, **fields: Any) -> None:
            self._event(process, event, fields)

        seed = self._case.random_seed
        runtime = Runtime(
            name=process.name,
            settings=settings,
            redis=redis_client(),
            http=outfit.http,
            clock=lambda: process.clock(self._agenda.now_ms),
            random=random.Random(f"{process.name}/{self._case.scenario}" + (f"/{seed}" if seed else "")),
            record=record,
        )
        process.design = strategy
        process.function = Function(
            made(of_its_own(strategy), runtime), runtime, record, runs_cleanup=process.runs_cleanup
        )
        outfit.serve(process.function)
        process.app = outfit.app
        own = runtime.tasks  # what the strategy has started in its `__init__`
        process.function.start_periodic()
        process.periodic = runtime.tasks - own
        self._loop.drain()

    def give_back(self) -> None:
        """The run is over and its coroutines are closed: the next one may have what this one has borrowed."""
        _STOCK.take_back(self._borrowed)

    def stop(self, process: Process, reason: str) -> None:
        """Nothing of it runs again, no `finally` either. What it had sent may still arrive."""
        self._agenda.touch("routing")
        self._agenda.touch("function", process.name)
        process.alive = False
        self.alive.remove(process)
        self._record("function.stopped", function=process.name, reason=reason)
        for step in [*process.steps, *process.backlog]:
            self._agenda.cancel(step)
        for stop in list(process.on_stop):
            stop()
        process.handles.clear()

    def replace(self, process: Process, reason: str) -> None:
        """It stops, and the platform starts another in its place, with an empty memory."""
        strategy = type(process.function.strategy)
        self.stop(process, reason)
        if self._older is not None and self._agenda.now_ms >= self._case.rollout_at_ms:
            strategy = self._strategy
        fresh = self._start(strategy)
        self._record("function.started", function=fresh.name)

    def _roll_out(self) -> None:
        for process in [p for p in self.alive if type(p.function.strategy) is self._older]:
            self.replace(process, "rollout")

    def strike(self, process: Process, step: Step) -> bool:
        """Let a crash or a pause strike the function to which a step is about to happen. True if one did."""
        fault = self._faults.strike(step.name, process.name, ("crash", "pause")) if self._faults.armed else None
        if fault == "crash":
            self._agenda.cancel(step)
            self.replace(process, "crash")
        elif fault == "pause":
            self._pause(process, step)
        return fault is not None

    def _retire(self, process: Process) -> None:
        # A platform stops no function that is serving a call.
        if process.alive and not process.open_calls:
            self.replace(process, "retired")

    def _pause(self, process: Process, step: Step) -> None:
        self._agenda.touch("routing")
        self._agenda.disables(process)
        process.paused = True
        process.backlog.append(step)
        longest = max(1, min(LONGEST_PAUSE_MS, self._case.heal_ms - self._agenda.now_ms))
        name = f"pause of {process.name}"
        if self._case.holds_max is None:
            self._agenda.work(name, process.name, lambda: self._resume(process), (1, longest))
        else:
            ms = self._faults.number(name, process.name, 1, longest, default=longest, shape="uniform")
            self._agenda.at("work", name, None, lambda: self._resume(process), self._agenda.now_ms + ms)

    def _resume(self, process: Process) -> None:
        self._agenda.touch("routing")
        self._agenda.touch("function", process.name)
        if not process.alive:
            return
        process.paused = False
        self._record("function.resumed", function=process.name)
        backlog, process.backlog = process.backlog, []
        handles, process.handles = process.handles, []
        calls, process.calls = process.calls, []
        self._loop.resume(handles)
        self._agenda.release(backlog)
        for call in calls:
            call()

    # -- what they say -----------------------------------------------------------------------------------------------

    def _event(self, process: Process, event: str, fields: Mapping[str, Any]) -> None:
        """An event of a function's own. One that has stopped says nothing more."""
        if not process.alive:
            return
        if event.startswith(_JUDGED):
            self._agenda.touch("processor")
        if event == "dead_letter":
            for conversation, messages in by_conversation(fields["messages"]):
                reason = plain_value(fields["reason"])
                self._record(event, function=process.name, conversation=conversation, messages=messages, reason=reason)
            return
        task = asyncio.current_task()
        if event in _BEGAN and isinstance(task, SimTask):
            task.timers = 0
            process.ticking[task] = _BEGAN[event]
            process.begun[task] = self._record.stillness.begin()
        elif event in _ENDED and task is not None:
            del process.ticking[task]
            process.pollers.pop(task, None)
            begun = process.begun.pop(task)
            if event == "tick.ended":
                self._record.stillness.end(begun)
        self._record(event, function=process.name, **{name: plain_value(value) for name, value in fields.items()})

    @property
    def ticks(self) -> bool:
        """Whether any live function ticks."""
        return any(process.ticks for process in self.alive)

    @property
    def polls(self) -> bool:
        """Whether any live function has a background task that goes round and round."""
        return any(process.polls for process in self.alive)

    def hanging(self) -> list[str]:
        """What live functions have begun and not ended, and where they wait, a line each."""
        return self.network.unanswered() + [
            f"a {what} of {process.name} never ended: it waits{where(task.get_coro())}"
            for process in self.alive
            for task, what in process.ticking.items()
            if task not in process.pollers  # a tick that is a loop goes on and on, and that is its way
        ]

    # -- routing (the network's Router) ------------------------------------------------------------------------------

    def route(self, call: Call) -> Process:
        """Which live function gets a call is a choice; of functions that are alike and untouched, one is offered."""
        offered: list[Process] = []
        kinds: set[tuple[object, ...]] = set()
        for process in self.alive:
            if process.fresh:
                kind = (process.design, process.runs_cleanup)
                if kind in kinds:
                    continue
                kinds.add(kind)
            offered.append(process)
        # Where functions are alike one stands for all, and who is alike depends on who has been chosen before.
        self._agenda.touch("routing", writes=len(offered) < len(self.alive))
        index = self._choices.number(f"route/{call.actor}", f"route {call.name}", 0, len(offered) - 1, shape="uniform")
        offered[index].touched = True
        return offered[index]

    def served(self, call: Call, process: Process, status: int) -> None:
        """A function has answered; a scenario may retire it now."""
        if call.kind != "webhook" or self._case.retire_after_ms is None:
            return
        self._agenda.at(
            "platform",
            f"{process.name} is retired",
            None,
            lambda: self._retire(process),
            self._agenda.now_ms + self._case.retire_after_ms,
        )


def made(strategy: type[Strategy], runtime: Runtime) -> Strategy:
    """An instance for a function. Raises `UsageError` if the constructor raises: no run can begin with that."""
    try:
        return strategy(runtime)
    except UsageError:
        raise
    except Exception as error:
        frames = [each for each in traceback.extract_tb(error.__traceback__) if is_design_file(each.filename)]
        where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
        raise UsageError(f"the constructor of {strategy.__name__} raised {describe(error)}{where}: repair it") from None
