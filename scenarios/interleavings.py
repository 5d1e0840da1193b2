"""Whole interleavings from Hypothesis: cases whose times are dense where designs break, and a scheduler that draws.

For property tests, also of projects that bring their own design:

    @given(interleaving=interleavings())
    def test_nothing_is_lost(interleaving):
        check(interleaving, MyStrategy, "no_loss")
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import note
from hypothesis import strategies as st

from engine.buffer.strategy import Strategy
from engine.exploration import Draw, Pending
from engine.simulation.case import Case, Sending
from engine.verification import digest, judge
from scenarios.running import Run, run_case, violations_of
from scenarios.trace import Trace

#: Offsets where designs break: the grace window, the end of the delay, and what comes while the processor works.
EDGES_MS = (0, 7_499, 7_500, 7_999, 8_000, 8_001, 8_499, 8_500, 9_000)
#: How many choices Hypothesis makes in one run; the rest take their default.
DRAWS = 60


class HypothesisScheduler:
    """Draws every choice from Hypothesis, each shrinking towards its default: in order, no fault, the shortest way."""

    def __init__(self, data: st.DataObject, *, stepped: bool) -> None:
        self.stepped = stepped
        self._data = data
        self._left = DRAWS

    def new_run(self, run: int) -> bool:
        """One run for each example."""
        return run == 0

    def next_step(self, steps: Sequence[Pending]) -> int:
        """Which step is next; the first, once the draws are used up."""
        return self._draw(0, len(steps) - 1, 0)

    def number(self, draw: Draw) -> int:
        """A number; it deviates from its default only if Hypothesis says so, which keeps examples small."""
        return self._draw(draw.low, draw.high, draw.default)

    def _draw(self, low: int, high: int, default: int) -> int:
        if self._left <= 0 or high <= low:
            return default
        self._left -= 1
        if not self._data.draw(st.booleans()):
            return default
        return self._data.draw(st.integers(low, high))


@st.composite
def cases(draw: st.DrawFn, *, messages_max: int = 4, faults: tuple[str, ...] = ()) -> Case:
    """A case: arrivals dense around 7.5, 8.0 and 8.5 s, windows of latency, times of the processor."""
    edge = st.sampled_from(EDGES_MS) | st.integers(7_400, 8_600) | st.integers(0, 16_000)
    offsets = [0, *sorted(draw(st.lists(edge, max_size=messages_max - 1)))]
    work_ms = draw(st.sampled_from((1_000, 3_000, 10_000)))
    return Case(
        scenario="interleavings",
        sendings=tuple(
            Sending(at_ms=at_ms, message_id=f"id-{number}", text=f"text {number}", label=f"m{number}")
            for number, at_ms in enumerate(offsets, 1)
        ),
        hop_ms=draw(st.sampled_from(((1, 5), (1, 600), (1, 2_600)))),
        processor_ms=(work_ms, work_ms),
        functions=draw(st.integers(1, 3)),
        faults=faults,
        fault_budget=3 if faults else 0,
        heal_ms=offsets[-1] + 60_000 if faults else 0,
        settings={"SHARDS": 2},
    )


@dataclass(frozen=True)
class Interleaving:
    """A case and who chooses in it."""

    case: Case
    scheduler: HypothesisScheduler

    def run(self, strategy: type[Strategy]) -> Run:
        """Run it."""
        return run_case(self.case, strategy, self.scheduler)


@st.composite
def interleavings(draw: st.DrawFn, *, messages_max: int = 4, faults: tuple[str, ...] = ()) -> Interleaving:
    """A case with a scheduler, timed or stepped."""
    case = draw(cases(messages_max=messages_max, faults=faults))
    return Interleaving(case, HypothesisScheduler(draw(st.data()), stepped=draw(st.booleans())))


def check(
    interleaving: Interleaving, strategy: type[Strategy], *invariants: str, spec: str = "", out: Path | None = None
) -> None:
    """Run an interleaving and raise `AssertionError` if one of these invariants is violated.

    With `out` and `spec` (the strategy's name or file) the failing run is written there as a trace, and the failure
    shows the line that replays it.
    """
    run = interleaving.run(strategy)
    for invariant in invariants:
        violation = next(iter(violations_of(judge(run.history, only=(invariant,)))), None)
        if violation is None:
            continue
        text = f"{invariant}: {violation.explanation}"
        if out is not None:
            path = out / f"{strategy.name}-{invariant}.json"
            Trace(
                strategy=spec or strategy.name,
                case=interleaving.case,
                schedule=run.schedule,
                stepped=run.stepped,
                invariant=invariant,
                cause=violation.cause,
                explanation=violation.explanation,
                digest=digest(run.history),
                history=run.history,
                events=violation.events,
            ).write(path)
            note(f"replay: bufferproof replay {shlex.quote(str(path))}")
            text += f"\nreplay: bufferproof replay {shlex.quote(str(path))}"
        raise AssertionError(text)
