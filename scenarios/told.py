"""A run that is listened to: what each deviation from in-order met, and how Redis' keys changed.

The history is the one that the run has without a listener: nothing here draws, decides or takes part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engine.buffer.strategy import Strategy
from engine.exploration.in_order import InOrder, Overtaking
from engine.exploration.scheduler import Draw, Pending, Replay, Scheduler
from engine.simulation.agenda import Step
from engine.simulation.case import Case
from engine.simulation.world import World
from scenarios.key_states import signs_of, state_of
from scenarios.running import Run
from scenarios.selection import find_strategy


class Drawn(NamedTuple):
    """A number that was drawn, and how many events the history had then."""

    key: str
    value: int
    default: int
    at: int


@dataclass
class Told:
    """What was heard of a run. `delays` is empty in timed runs."""

    run: Run
    numbers: dict[str, int]
    delays: dict[str, str]
    drawn: list[Drawn] = field(default_factory=list)
    steps: dict[str, int] = field(default_factory=dict)
    """Where in the history each step happened, by its name and number."""
    keys: list[dict[str, Any]] = field(default_factory=list)
    """How Redis' keys changed: each entry says what a key was after the event of that position."""

    @property
    def size(self) -> tuple[int, int]:
        """How far it is from in-order (a hold and its instant count once), and how long; smaller is better."""
        slow = slow_network_ms(self.run) is not None
        return deviations_in(self.numbers, self.delays) + slow, len(self.run.history)


#: Numbers that only say more of a deviation that is counted already.
_DETAILS = ("until ", "stall ", "which hop ", "outage ", "evicted ", "skew ", "drift ", "how ", "repeat ", "pause of ")


def slow_network_ms(run: Run) -> int | None:
    """How long every hop takes, in milliseconds, where none is quick: one deviation. None: hops are quick unless it is said.

    In a stepped run a hop may take no time, whatever its window.
    """
    shortest_ms, longest_ms = next((e["hop_ms"] for e in run.history if "hop_ms" in e), (0, 0))
    return int(longest_ms) if shortest_ms == longest_ms > 1 and not run.stepped else None


def deviations_in(numbers: Mapping[str, int], delays: Mapping[str, str]) -> int:
    """How many deviations from in-order a schedule has: each is one clause of its description."""
    return len(delays) + sum(not key.startswith(_DETAILS) for key in numbers)


def kind_of(key: str) -> str:
    """What a number decides: a hold, a routing, a fault, an order, or how long something takes."""
    first = key.partition(" ")[0]
    if first in ("hold", "until"):
        return "hold"
    if key.startswith("next#"):
        return "order"
    if first == "route":
        return "route"
    return "fault" if first == "fault" or key.startswith(_DETAILS) else "duration"


def is_duration(key: str) -> bool:
    """Whether a number is milliseconds, and so has rounder values."""
    return kind_of(key) == "duration" or key.startswith(("stall ", "outage ", "repeat ", "skew ", "pause of "))


class _Listener:
    """A scheduler that passes all questions on, and remembers."""

    def __init__(self, inner: Scheduler) -> None:
        self.stepped = inner.stepped
        self.inner = inner
        self.order = Overtaking()
        self.history: Sequence[Any] = ()
        self.drawn: list[Drawn] = []
        self.steps: dict[str, int] = {}

    def new_run(self, run: int) -> bool:
        """As the policy says."""
        return self.inner.new_run(run)

    def next_step(self, steps: Sequence[Pending]) -> int:
        """As the policy says."""
        index = self.inner.next_step(steps)
        self.order.chose(steps, index)
        return index

    def number(self, draw: Draw) -> int:
        """As the policy says."""
        value = self.inner.number(draw)
        self.drawn.append(Drawn(draw.key, value, draw.default, len(self.history)))
        if value and draw.key.startswith("hold "):
            self.order.held(draw.key)
        return value

    def note_step(self, step: Step) -> None:
        """A step happens."""
        self.steps[self.order.note_step(step)] = len(self.history)
        if isinstance(self.inner, InOrder):
            self.inner.note_step(step)


class _ToldWorld(World):
    """A world that says which steps happen and what its Redis holds."""

    def __init__(self, case: Case, strategy: type[Strategy], listener: _Listener, *, with_keys: bool) -> None:
        older = find_strategy(case.rollout_from) if case.rollout_from is not None else None
        super().__init__(case, strategy, listener, older=older)
        self.keys: list[dict[str, Any]] = []
        self._signs = signs_of(
            [(each.label, each.text) for each in case.sendings],
            [name for each in case.sendings for name in (each.message_id, each.instance_name, each.user_phone)],
        )
        self._with_keys = with_keys
        listener.history = self.record.history
        allowed = self.agenda.before_step

        def before_step(step: Step) -> bool:
            # A crash or a pause may keep it from happening, and what it would do is in the history only afterwards.
            may = allowed(step)
            if may:
                listener.note_step(step)
            return may

        self.agenda.before_step = before_step

    def _set_up(self) -> None:
        super()._set_up()
        if self._with_keys:
            self._record, self.link.record = self.link.record, self._hear

    def _hear(self, event: str, **fields: Any) -> None:
        """What the link records is recorded, and it is looked what became of the keys."""
        self._record(event, **fields)
        changed = [fields["key"]] if "key" in fields else fields.get("writes", ())
        index = len(self.record.history) - 1
        self.keys += [
            {"event": index, "key": key, **state_of(self.server.database, key, self._signs)} for key in changed
        ]


def tell(case: Case, strategy: type[Strategy], scheduler: Scheduler, *, with_keys: bool = False) -> Told:
    """Run a case under a scheduler that has begun a run, and listen; `with_keys`: also to how the keys change."""
    listener = _Listener(scheduler)
    world = _ToldWorld(case, strategy, listener, with_keys=with_keys)
    history = world.run()
    schedule = world.choices.deviations
    numbers = {key: value for key, value in schedule.items() if not key.startswith("next#")}
    run = Run(history, schedule, scheduler.stepped, world.server.commands)
    return Told(run, numbers, listener.order.delays, listener.drawn, listener.steps, world.keys)


def tell_in_order(
    case: Case,
    strategy: type[Strategy],
    numbers: Mapping[str, int],
    delays: Mapping[str, str],
    *,
    stepped: bool,
    with_keys: bool = False,
) -> Told:
    """Run a case in order, but for these numbers and these delays."""
    scheduler = InOrder(numbers, delays, stepped=stepped)
    scheduler.new_run(0)
    return tell(case, strategy, scheduler, with_keys=with_keys)


def replayed(
    case: Case, strategy: type[Strategy], schedule: Mapping[str, int], *, stepped: bool, with_keys: bool = False
) -> Told:
    """Run a case again under a recorded schedule, and listen."""
    recorded = Replay(schedule, stepped=stepped)
    recorded.new_run(0)
    return tell(case, strategy, recorded, with_keys=with_keys)
