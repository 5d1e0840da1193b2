"""A search through the trees of a scenario's cases, slice by slice: what a worker does, and what its result proves."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from engine.exploration import GROUP, SEARCHES, Abandoned, Exhaustive, TreeWalk
from engine.simulation.case import FAULTS, Case
from scenarios.batch import Plan, Tally, count_run, is_over
from scenarios.running import run_case
from scenarios.selection import find_scenario, find_strategy

#: Runs of a slice: between slices the deadline and the progress are looked at.
SLICE = 25


def search_case(plan: Plan, number: int) -> Case | None:
    """Case `number` of a plan, coarse; None if the scenario does not concern the strategy."""
    case = plan.case(number)
    if case is None or case.holds_max is not None:
        return case
    return replace(case, holds_max=0)


def run_slice(
    plan: Plan, number: int, start: int, runs: int, walk: TreeWalk | None, until: float | None = None
) -> tuple[Tally, TreeWalk]:
    """Go on with the tree of case `number` for so many runs, none begun after `until`; complete ones are numbered from `start`."""
    case, strategy = search_case(plan, number), find_strategy(plan.strategy)
    walk = SEARCHES[plan.policy]() if walk is None else walk
    tally = Tally()
    if case is None:
        tally.skipped, walk.finished = 1, True
        return tally, walk
    for _ in range(runs):
        if is_over(until) or not walk.new_run(walk.runs):
            break
        try:
            run = run_case(case, strategy, walk)
        except Abandoned:
            continue
        count_run(tally, start + tally.runs, case, run, plan.policy)
        tally.instants.update(event["t"] for event in run.history)
        if tally.cut:
            break
    return tally, walk


class Search:
    """The search of one plan: its cases one after the other, as far as the runs and the time go."""

    def __init__(self, plan: Plan, runs: int, deadline: float | None = None) -> None:
        self._plan = plan
        self._deadline = deadline
        self._left = runs
        self._case = 0
        self._walk: TreeWalk | None = None
        self._tally = Tally()
        self._finished: list[TreeWalk] = []

    def next_round(self) -> list[tuple[Any, ...]]:
        """The next slice, as arguments of `run_slice`; none if all is done."""
        if self._left <= 0 or self._is_done():
            return []
        # With a deadline the first slice is short, as a sampled plan's first batch is: all plans begin before any goes on.
        begins = self._deadline is not None and self._case == 0 and self._walk is None
        runs = min(GROUP if begins else SLICE, self._left)
        return [(self._plan, self._case, self._tally.runs, runs, self._walk, self._deadline)]

    def _is_done(self) -> bool:
        cases = find_scenario(self._plan.scenario).cases
        return cases is not None and self._case >= cases

    def close(self, at: int, result: tuple[Tally, TreeWalk]) -> bool:
        """A slice is done."""
        tally, self._walk = result
        self._left -= max(1, tally.runs)
        self._tally.merge(tally)
        if self._walk.finished:
            self._finished.append(self._walk)
            self._walk = None
            self._case += 1
        return not self.cut

    @property
    def cut(self) -> bool:
        """Whether the plan is given up, because its runs hit a bound."""
        return self._tally.cut

    def tally(self) -> Tally:
        """All counts so far, with what they prove."""
        walks = [*self._finished, *([self._walk] if self._walk is not None else [])]
        self._tally.exhausted = self._walk is None and bool(walks) and self._is_done()
        self._tally.classes = sum(walk.classes for walk in walks)
        self._tally.proof = self._proof(walks) if walks else ""
        return self._tally

    def _proof(self, walks: list[TreeWalk]) -> str:
        case = search_case(self._plan, 0)
        if case is None:
            return ""
        count = self._tally.classes if self._tally.exhausted else sum(walk.complete for walk in walks)
        what = "interleaving" if count == 1 else "interleavings"
        if self._plan.policy != "exhaustive":
            what = f"{'class' if count == 1 else 'classes'} of interleavings"
        said = list(bounds_of(case, len(self._tally.instants)))
        if any(walk.shortened for walk in walks):
            said.append("each length of time that is chosen at its usual value")
        if self._tally.exhausted:
            more = f" in {len(walks)} cases" if len(walks) > 1 else ""
            return f"{', '.join(said)}: {count:,} {what}{more}, exhausted"
        done = "".join(
            f"; all {each.runs:,} with at most {each.delays} delays were tried"
            for walk in walks[-1:]
            if isinstance(walk, Exhaustive)
            for each in walk.done[-1:]
        )
        return f"{', '.join(said)}: {count:,} {what}, stopped, not exhausted{done}"


def bounds_of(case: Case, instants: int) -> Iterator[str]:
    """What a search of this case is over, in words."""
    yield _count(len(case.sendings), "message")
    yield _count(case.functions, "function")
    if case.scripts_cached:
        yield "scripts cached"
    if case.faults and case.fault_budget:
        kinds = "any kind" if set(case.faults) == set(FAULTS) else " or ".join(case.faults)
        yield f"at most {_count(case.fault_budget, 'fault')} of {kinds} before {case.heal_ms / 1000:g} s"
    else:
        yield "no fault but the case's own" if case.outages_ms or case.processor_failures else "no fault"
    low, high = case.hop_ms
    if case.holds_max:
        yield (
            f"at most {_count(case.holds_max, 'hold')} of hops ({low} to {high} ms) and ends of work before "
            f"{case.holds_until_ms / 1000:g} s"
        )
    else:
        yield "no hold"
    yield _count(instants, "instant")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
