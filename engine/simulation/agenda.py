"""What may happen next: every pending step of the world, in one of the two kinds of virtual time.

Timed: a step's moment is drawn when it arises, and SimPy's queue orders the steps by (time, priority, sequence).

Stepped: everything pending at an instant can happen at it, in any order. A hop may be *held*, once, to a later instant
of its window. Time goes on by itself when nothing is left that could happen now: only held and future steps remain.

SimPy's environment is the clock and the queue of both. Times are whole milliseconds.
"""

from collections.abc import Callable, Iterable
from math import inf
from typing import TYPE_CHECKING, Any

import simpy

from engine.exploration.scheduler import Choices
from engine.simulation.bounds import Bounds

if TYPE_CHECKING:
    from engine.simulation.process import Process

HOLD_RATE = "rate:0.15"


class Step(simpy.Event):
    """One thing that is going to happen: an arrival with its execution, a reply, a timer, an end of work.

    It is itself what stands in SimPy's queue: a run has hundreds of steps, and an event beside each would cost as much.
    """

    __slots__ = (
        "actor",
        "callbacks",
        "cancelled",
        "due_ms",
        "held",
        "idle",
        "kind",
        "latest_ms",
        "name",
        "owner",
        "run",
    )
    _ok = True  # an event that fails would end the run

    def __init__(
        self,
        kind: str,
        name: str,
        actor: str,
        owner: "Process | None",
        run: Callable[[], None],
        due_ms: int,
        latest_ms: int,
    ) -> None:
        self.kind = kind
        self.actor = actor  # on whose behalf: it names the stream of its draws
        self.name = name
        self.owner = owner
        self.run = run
        self.due_ms = due_ms
        self.latest_ms = latest_ms
        self.cancelled = False
        self.held = False
        self.idle = False  # the timer between two ticks or cleanups: it keeps no run alive


class Agenda:
    """All pending steps, and the clock."""

    def __init__(self, choices: Choices, instants: Iterable[int], bounds: Bounds) -> None:
        self.env = simpy.Environment()
        self.now_ms = 0  #: Virtual milliseconds since the start: SimPy's clock, which each step of its queue sets.
        self.choices = choices
        self.stepped = choices.stepped
        self.drain: Callable[[], None] = lambda: None
        self.before_step: Callable[[Step], bool] = lambda step: True
        self.ttl_ends: Callable[[], Iterable[int]] = tuple
        self._instants = frozenset(instants)
        self._bounds = bounds
        self._enabled: list[Step] = []
        self._live: dict[Step, None] = {}  # insertion-ordered set
        self._idle = 0
        self._when_due: list[Callable[[Any], None]] = [self._come_due]

    @property
    def busy(self) -> bool:
        """Whether anything is pending but the timers between ticks."""
        return len(self._live) > self._idle

    def hop(
        self,
        name: str,
        actor: str,
        owner: "Process | None",
        run: Callable[[], None],
        window_ms: tuple[int, int],
        extra_ms: int = 0,
    ) -> Step:
        """A message on its way, for `owner` if it arrives at a function. In stepped time it may take no time.

        `extra_ms` is a stall: the hop takes its whole window and this on top, in both kinds of time.
        """
        low, high = window_ms
        if extra_ms:
            low = high = high + extra_ms
        elif self.stepped:
            low = 0
        return self._add("hop", name, actor, owner, run, low, high, "log_uniform")

    def work(self, name: str, actor: str, run: Callable[[], None], window_ms: tuple[int, int]) -> Step:
        """Something that takes a while, and ends at any known instant within its window."""
        return self._add("work", name, actor, None, run, *window_ms, "uniform")

    def at(self, kind: str, name: str, owner: "Process | None", run: Callable[[], None], due_ms: int) -> Step:
        """Something that happens at a stated time."""
        step = Step(kind, name, owner.name if owner is not None else kind, owner, run, due_ms, due_ms)
        self._live[step] = None
        self._schedule(step, max(0, due_ms - self.now_ms))
        return step

    def cancel(self, step: Step) -> None:
        """The step will not happen."""
        if not step.cancelled:
            step.cancelled = True
            self._forget(step)

    def mark_idle(self, step: Step) -> None:
        """The step is a timer between two ticks: it alone keeps no run alive."""
        if not step.idle:
            step.idle = True
            self._idle += 1

    def postpone(self, step: Step, by_ms: int) -> None:
        """Let a timer come later than it was set."""
        self._schedule(step, by_ms)

    def _add(
        self,
        kind: str,
        name: str,
        actor: str,
        owner: "Process | None",
        run: Callable[[], None],
        low: int,
        high: int,
        shape: str,
    ) -> Step:
        now = self.now_ms
        step = Step(kind, name, actor, owner, run, now + low, now + max(low, high))
        self._live[step] = None
        if self.stepped:
            if low:
                self._schedule(step, low)
            else:
                self._enabled.append(step)
            return step
        delay = self.choices.number(f"{kind}/{actor}", name, low, high, shape=shape)
        step.due_ms = now + delay
        self._schedule(step, delay)
        return step

    def _schedule(self, step: Step, delay_ms: int) -> None:
        step.callbacks = self._when_due
        self.env.schedule(step, delay=delay_ms)

    def _come_due(self, step: Step) -> None:
        if step.cancelled:
            return
        if self.stepped:
            self._enabled.append(step)
        elif step.owner is not None and step.owner.paused:
            step.owner.backlog.append(step)
        else:
            self._take(step)

    def release(self, steps: list[Step]) -> None:
        """Steps that came due while their function was paused can happen now."""
        for step in steps:
            if not step.cancelled:
                self._schedule(step, 0)

    def advance(self) -> bool:
        """Let one thing happen. False: nothing can happen any more."""
        self._bounds.count_step()
        if not self.stepped:
            return self._next_event()
        while self.env.peek() == self.now_ms:
            self.env.step()
        able = [s for s in self._enabled if not (s.cancelled or (s.owner is not None and s.owner.paused))]
        if not able:
            self._enabled = [s for s in self._enabled if not s.cancelled]
            return self._next_event()
        step = able[self.choices.next_step(able)]
        self._enabled.remove(step)
        if not self._hold(step):
            self._take(step)
        return True

    def _next_event(self) -> bool:
        """Let SimPy's next event happen, and the clock go on to it. False: there is none."""
        due_ms = self.env.peek()
        if due_ms == inf:
            return False
        self.now_ms = int(due_ms)
        self.env.step()
        return True

    def _hold(self, step: Step) -> bool:
        """Hold a hop or an end of work to a later known instant, if that is chosen."""
        now = self.now_ms
        if step.held or step.latest_ms <= now or step.kind not in ("hop", "work"):
            return False
        stream = f"hold/{step.actor}"
        if not self.choices.number(
            stream, f"hold {step.name}", 0, 1, shape=HOLD_RATE if step.kind == "hop" else "rate:0.5"
        ):
            return False
        targets = self._known_instants(step)
        if not targets:
            return False
        index = self.choices.number(stream, f"until {step.name}", 0, len(targets) - 1, shape="uniform")
        step.held = True
        self._schedule(step, targets[index] - now)
        return True

    def _known_instants(self, held: Step) -> list[int]:
        """The instants a step may be held to: the scenario's, live timers' due times and TTL ends with a ms around."""
        known = set(self._instants)
        for step in self._live:
            if step.kind != "hop" and step is not held:
                known.update((step.due_ms - 1, step.due_ms, step.due_ms + 1))
        for end in self.ttl_ends():
            known.update((end - 1, end, end + 1))
        known.add(held.latest_ms)
        return sorted(t for t in known if self.now_ms < t <= held.latest_ms)

    def _take(self, step: Step) -> None:
        if not self.before_step(step):
            return
        self._forget(step)
        step.run()
        self.drain()

    def _forget(self, step: Step) -> None:
        if self._live.pop(step, False) is None and step.idle:
            self._idle -= 1
