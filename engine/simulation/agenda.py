"""What may happen next: every pending step of the world, in one of the two kinds of virtual time.

Timed: a step's moment is drawn when it arises, and SimPy's queue orders the steps by (time, priority, sequence).

Stepped: everything pending at an instant can happen at it, in any order. A hop may be *held*, once, to a later instant
of its window. Time goes on by itself when nothing is left that could happen now: only held and future steps remain.

Coarse (a case's `coarse`, for exhaustive search) is stepped with fewer choices that mean the same. Whether a hop is held is asked
when it is sent, or when an end of work comes due; until when, is asked as time goes on: so nothing that happens at an
instant changes what may be held, or until when. Ticks, heals and ends of the run are the world's, and looked at between instants.

A policy that observes is told what each step really touched: the parts of the world say so to `touch`.

SimPy's environment is the clock and the queue of both. Times are whole milliseconds.
"""

from collections.abc import Callable, Iterable
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import simpy

from engine.exploration.scheduler import EVERYTHING, Access, Choices
from engine.simulation.bounds import Bounds

if TYPE_CHECKING:
    from engine.simulation.process import Process

HOLD_RATE = "rate:0.15"
#: The cause of instants; the set-up's is 0.
TIME = 7
#: How the questions whether a step is held, and until when, begin.
HOLD, UNTIL = "hold ", "until "


class Step(simpy.Event):
    """One thing that is going to happen: an arrival with its execution, a reply, a timer, an end of work.

    It is itself what stands in SimPy's queue: a run has hundreds of steps, and an event beside each would cost as much.
    """

    __slots__ = (
        "actor",
        "callbacks",
        "cancelled",
        "cause",
        "due_ms",
        "held",
        "identity",
        "idle",
        "kind",
        "latest_ms",
        "name",
        "owner",
        "run",
        "thins",
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
        self.thins = False  # it comes later where nothing has happened for long
        self.identity = self.cause = 0  # its own by its cause, and that of its cause, where a policy observes


class Coarse(NamedTuple):
    """The bounds of a coarse run."""

    holds: int
    """How many hops and ends of work may be held, in all."""
    until_ms: int
    """From here on hops take no time."""


class TimeStep(NamedTuple):
    """The step to the next instant, as a policy sees it."""

    name: str
    identity: int
    actor: str = "time"
    kind: str = "time"
    cause: int = 0


class Agenda:
    """All pending steps, and the clock."""

    def __init__(
        self, choices: Choices, instants: Iterable[int], bounds: Bounds, *, coarse: Coarse | None = None
    ) -> None:
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
        self._coarse = coarse if choices.stepped else None
        self._holds_left = coarse.holds if coarse is not None else 0
        self._waiting: list[Step] = []  # coarse: held, and not yet told until when
        self._observer = choices.observer
        self._touched: set[Access] = set()
        self._disabled: list[int] = []
        self._cause = 0
        self._effects = 0
        self._live: dict[Step, None] = {}  # insertion-ordered set
        self._idle = 0
        self._when_due: list[Callable[[Any], None]] = [self._come_due]

    @property
    def busy(self) -> bool:
        """Whether anything is pending but the timers between ticks."""
        return len(self._live) > self._idle

    @property
    def between_instants(self) -> bool:
        """Whether the world may look if it heals or ends: in a coarse run, only when nothing is left to happen now."""
        if self._coarse is None:
            return True
        self._catch_up()
        return not self._able()

    @property
    def watched(self) -> bool:
        """Whether a policy wants to know what each step touches."""
        return self._observer is not None

    def touch(self, room: str, which: str = "", *, writes: bool = True) -> None:
        """The step that is happening reads or writes this part of the world ("" is all of a room)."""
        if self._observer is not None:
            self._touched.add((room, which, writes))

    def disables(self, owner: "Process") -> None:
        """The step that is happening stops a function for a while: what is pending for it now cannot happen now."""
        if self._observer is not None:
            self._disabled += [step.identity for step in self._enabled if step.owner is owner and not step.cancelled]

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
        self._born(step)
        self._schedule(step, max(0, due_ms - self.now_ms))
        return step

    def cancel(self, step: Step) -> None:
        """The step will not happen."""
        if not step.cancelled:
            step.cancelled = True
            self._forget(step)
            if self._observer is not None:
                self.touch("step", str(step.identity))
                if step in self._enabled:
                    self._disabled.append(step.identity)

    @property
    def at_work(self) -> bool:
        """Whether a hand-over is at work, or a function is paused."""
        return any(step.kind == "work" for step in self._live)

    def mark_idle(self, step: Step, *, thins: bool = False) -> None:
        """The step is a timer between two ticks, or a poller waits for it: it alone keeps no run alive."""
        step.thins = thins
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
        self._born(step)
        if self.stepped:
            if low == 0 and self._is_held(step):
                self._waiting.append(step)
            elif low:
                self._schedule(step, low)
            else:
                self._enabled.append(step)
            return step
        delay = self.choices.number(f"{kind}/{actor}", name, low, high, shape=shape)
        step.due_ms = now + delay
        self._schedule(step, delay)
        return step

    def _born(self, step: Step) -> None:
        self._live[step] = None
        if self._observer is not None:
            self._effects += 1
            step.identity = hash((self._cause, self._effects))
            step.cause = self._cause
            self.touch("step", str(step.identity))

    def _schedule(self, step: Step, delay_ms: int) -> None:
        step.callbacks = self._when_due
        self.env.schedule(step, delay=delay_ms)

    def _come_due(self, step: Step) -> None:
        if step.cancelled:
            return
        if self.stepped:
            if step.kind == "work" and self._is_held(step):
                self._waiting.append(step)
            else:
                self._enabled.append(step)
        elif step.owner is not None and step.owner.paused:
            step.owner.backlog.append(step)
        else:
            self._take(step)

    def release(self, steps: list[Step]) -> None:
        """Steps that came due while their function was paused can happen now."""
        for step in steps:
            if not step.cancelled:
                self.touch("step", str(step.identity))
                self._schedule(step, 0)

    def advance(self) -> bool:
        """Let one thing happen. False: nothing can happen any more."""
        self._bounds.count_step()
        if not self.stepped:
            return self._next_event()
        self._catch_up()
        able = self._able()
        if not able:
            return self._next_instant()
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

    def _catch_up(self) -> None:
        """Let all that is due now become pending."""
        while self.env.peek() == self.now_ms:
            self.env.step()

    def _able(self) -> list[Step]:
        return [s for s in self._enabled if not (s.cancelled or (s.owner is not None and s.owner.paused))]

    def _next_instant(self) -> bool:
        """A step in time. False: there is no later instant at which anything could happen."""
        self._enabled = [s for s in self._enabled if not s.cancelled]
        self._happens(0)
        self._settle_held()
        if self.env.peek() == inf:
            return False
        self._happens(hash((TIME, int(self.env.peek()))))
        self._next_event()
        self._catch_up()
        self._tell(TimeStep(f"to {self.now_ms}", self._cause), everything=True)
        return True

    def _happens(self, cause: int) -> None:
        self._cause, self._effects = cause, 0
        self._touched.clear()  # of what came before the first step

    def _tell(self, step: "Step | TimeStep", *, everything: bool = False) -> None:
        if self._observer is None:
            return
        footprint, disabled = EVERYTHING if everything else frozenset(self._touched), self._disabled
        self._touched, self._disabled = set(), []
        self._observer.took(step, footprint, disabled)

    def _is_held(self, step: Step) -> bool:
        """Coarse: whether a hop that is sent now, or a work that could end now, is held past this instant."""
        coarse, now = self._coarse, self.now_ms
        if coarse is None or step.held or step.latest_ms <= now or self._holds_left <= 0 or now >= coarse.until_ms:
            return False
        rate = HOLD_RATE if step.kind == "hop" else "rate:0.5"
        if not self.choices.number(f"hold/{step.actor}", f"{HOLD}{step.name}", 0, 1, shape=rate):
            return False
        step.held = True
        self._holds_left -= 1
        self.touch("bound", "holds")
        return True

    def _settle_held(self) -> None:
        """Coarse: the instant is over, and it is said until when each held step is held."""
        for step in self._waiting:
            targets = self._known_instants(step) if not step.cancelled else ()
            if targets:
                self._hold_until(step, targets)
        self._waiting.clear()

    def _hold_until(self, step: Step, targets: tuple[int, ...]) -> None:
        what, who = f"{UNTIL}{step.name}", f"hold/{step.actor}"
        index = self.choices.number(who, what, 0, len(targets) - 1, shape="uniform", instants_ms=targets)
        self._schedule(step, targets[index] - self.now_ms)

    def _hold(self, step: Step) -> bool:
        """Hold a hop or an end of work to a later known instant, if that is chosen."""
        if step.held or step.latest_ms <= self.now_ms or step.kind not in ("hop", "work") or self._coarse is not None:
            return False
        rate = HOLD_RATE if step.kind == "hop" else "rate:0.5"
        if not self.choices.number(f"hold/{step.actor}", f"{HOLD}{step.name}", 0, 1, shape=rate):
            return False
        targets = self._known_instants(step)
        if not targets:
            return False
        step.held = True
        self._hold_until(step, targets)
        return True

    def _known_instants(self, held: Step) -> tuple[int, ...]:
        """The instants a step may be held to: the scenario's, live timers' due times and TTL ends with a ms around."""
        known = set(self._instants)

        def around(instant: int) -> tuple[int, ...]:
            return (instant - 1, instant, instant + 1)

        for step in self._live:
            if step.kind != "hop" and step is not held:
                known.update(around(step.due_ms))
        for end in self.ttl_ends():
            known.update(around(end))
        known.add(held.latest_ms)
        return tuple(sorted(t for t in known if self.now_ms < t <= held.latest_ms))

    def _take(self, step: Step) -> None:
        self._happens(step.identity)
        if self._observer is not None:
            self.touch("step", str(step.identity))
            if step.owner is not None:
                self.touch("function", step.owner.name)
        if self.before_step(step):
            self._forget(step)
            step.run()
            self.drain()
        self._tell(step)

    def _forget(self, step: Step) -> None:
        if self._live.pop(step, False) is None and step.idle:
            self._idle -= 1
