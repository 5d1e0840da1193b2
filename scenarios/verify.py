"""Verify: strategies through scenarios, over all cores, to a table of verdicts and the counterexamples behind it."""

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from engine.buffer.catalogue import BUILT_IN
from engine.buffer.errors import UsageError, choices
from engine.exploration import GROUP, ROUND, SEARCHES, shares_after
from engine.simulation.world import settings_of
from engine.verification.verdict import LOST
from scenarios.batch import Found, Plan, Tally, run_batch
from scenarios.catalogue import SCENARIOS
from scenarios.expectations import compare
from scenarios.failures import ShownFailure, sentence_kind, shrink_found, trace_name
from scenarios.pool import Here, in_parallel, pool_of, stop_now
from scenarios.result import Counterexample, Result, result_document
from scenarios.search import Search, run_slice
from scenarios.selection import POLICIES, chosen_faults, find_scenario, find_strategy
from scenarios.trace import portable

BATCH = 25
#: Trials of one shrinking: thorough for a violation's first scenario, short for the others'.
TRIALS_FULL, TRIALS_SHORT = 400, 40
#: Of the time that is given, so much is for the runs: the rest makes what they found small.
RUNS_SHARE = 0.8

Progress = Callable[[str, int, int], None]


def verify(
    strategies: Sequence[str] | None = None,
    scenario_names: Sequence[str] | None = None,
    faults: Sequence[str] | None = None,
    fault_budget: int | None = None,
    workload: Path | None = None,
    explore: str = "portfolio",
    runs: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    jobs: int | None = None,
    settings: dict[str, str] | None = None,
    out: Path | None = None,
    redact: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> Result:
    """Run strategies through scenarios.

    `out` is the folder for `results.json` and `traces/` (None: nothing is written); `seconds` bounds the whole call, but that no run
    is broken off by it; `command` is written down, for whoever wants the same again.
    An interrupt ends the runs: the result is then of those until then, and says that it was `stopped`.
    Raises `UsageError` for anything that is not there or is refused.
    """
    started, stopped = time.monotonic(), False
    plans = plans_of(strategies, scenario_names, faults, fault_budget, workload, explore, seed, settings or {})
    wanted = {plan: runs or find_scenario(plan.scenario).runs for plan in plans}
    runs_until, until = (None, None) if seconds is None else (started + RUNS_SHARE * seconds, started + seconds)
    with pool_of(jobs) as pool:
        try:
            tallies = run_all(pool, wanted, runs_until, progress)
        except Stopped as stop:
            stop_now(pool)
            # What it has come to is shown, and is not made small any more.
            pool, tallies, stopped, until = Here(), stop.tallies, True, started
            progress = None  # whoever is told of progress may be who interrupts
        if not stopped and all(tally.skipped and not tally.runs for tally in tallies.values()):
            raise UsageError(
                f"{plans[0].scenario} is not for {plans[0].strategy}, and nothing else was asked for: give another --scenario"
            )
        found, whole = _counterexamples(pool, tallies, redact, until, progress)
        if not whole:
            stop_now(pool)
            stopped = True
    traces = _write_traces(found, out)
    elapsed = time.monotonic() - started
    document = result_document(
        tallies, traces, seed=seed, elapsed_s=elapsed, settings=_settings(plans), command=command
    )
    differences = compare(document["rows"]) if strategies is None and _is_standard(faults, workload, settings) else None
    if stopped:
        document["stopped"] = True
    if stopped or seconds is not None:
        document["not_run"] = [
            f"{plan.strategy} · {plan.scenario}"
            for plan in plans
            if not tallies[plan].runs and not tallies[plan].skipped
        ]
        document["cut_short"] = [
            f"{plan.strategy} · {plan.scenario}"
            for plan in plans
            if 0 < tallies[plan].runs < wanted[plan] - tallies[plan].skipped
            and not (tallies[plan].exhausted or tallies[plan].cut)
        ]
    result = Result(document, _shown(found, traces), differences)
    if out is not None and (document["rows"] or not stopped):  # what was stopped before its first run replaces nothing
        result.write(out)
    return result


def plans_of(
    strategies: Sequence[str] | None,
    scenario_names: Sequence[str] | None,
    faults: Sequence[str] | None,
    fault_budget: int | None,
    workload: Path | None,
    explore: str,
    seed: int,
    settings: dict[str, str],
) -> list[Plan]:
    """What is to be run, checked. Raises `UsageError`."""
    if explore not in POLICIES:
        raise UsageError(f"--explore {explore}: unknown: {choices(explore, POLICIES)}")
    names = list(dict.fromkeys(portable(spec) for spec in strategies or BUILT_IN))
    for spec in names:
        settings_of(find_strategy(spec), settings)  # a wrong setting is refused before anything runs
    scenarios = _scenarios(scenario_names, workload, main=strategies is None, small=explore in SEARCHES)
    kinds = chosen_faults(list(faults) if faults is not None else None)
    return [
        Plan(
            strategy=spec,
            scenario=portable(scenario),
            policy=explore,
            seed=seed,
            settings=tuple(sorted(settings.items())),
            faults=kinds,
            fault_budget=fault_budget,
        )
        for spec in names
        for scenario in scenarios
        if scenario_names or spec in BUILT_IN or not find_scenario(scenario).when_asked
    ]


def _scenarios(names: Sequence[str] | None, workload: Path | None, *, main: bool, small: bool) -> list[str]:
    if workload is not None:
        spec = f"workload:{workload}"
        find_scenario(spec)
        return [*(names or ()), spec]
    if names:
        for name in names:
            find_scenario(name)
        return list(names)
    if small:
        return [name for name, each in SCENARIOS.items() if each.cases is not None]
    sampled = {name: each for name, each in SCENARIOS.items() if each.cases is None}
    return [name for name, each in sampled.items() if (each.main if main else not each.dagger)]


def _is_standard(faults: Sequence[str] | None, workload: Path | None, settings: dict[str, str] | None) -> bool:
    return faults is None and workload is None and not settings


class Stopped(KeyboardInterrupt):
    """Somebody wants the runs to end now; `tallies` is what they have come to."""

    def __init__(self, tallies: dict[Plan, Tally]) -> None:
        self.tallies = tallies


def run_all(
    pool: Executor, wanted: dict[Plan, int], deadline: float | None, progress: Progress | None
) -> dict[Plan, Tally]:
    """Run all batches; begin no run after the deadline. Results are merged in the order of their numbers.

    Raises `Stopped` for an interrupt.

    With a deadline each plan makes a few runs before any makes more: the time may be too short for a batch of each.
    A portfolio's shares are made anew when a round of its plan is closed; the other plans' batches go on meanwhile.
    """
    rounds: dict[Plan, _Rounds | Search] = {
        plan: (Search if plan.policy in SEARCHES else _Rounds)(plan, count, deadline) for plan, count in wanted.items()
    }
    # In turn over the plans, so that a deadline leaves none without runs.
    waiting = deque(sorted((part for each in rounds.values() for part in each.next_round()), key=lambda part: part[1]))
    sampled = sum(len(each.starts) for each in rounds.values() if isinstance(each, _Rounds))
    try:
        for done, ((plan, at, *_), result) in enumerate(in_parallel(pool, _run_part, waiting, deadline), 1):
            if rounds[plan].close(at, result):
                waiting.extend(rounds[plan].next_round())
            if rounds[plan].cut:
                for part in [part for part in waiting if part[0] == plan]:
                    waiting.remove(part)
            if progress is not None:
                # How large a tree is, is known when it has been searched: until then the total is what is in sight.
                progress(f"{plan.strategy} · {plan.scenario}", done, sampled or done + len(waiting))
    except KeyboardInterrupt:
        raise Stopped({plan: each.tally() for plan, each in rounds.items()}) from None
    return {plan: each.tally() for plan, each in rounds.items()}


def _run_part(plan: Plan, *rest: Any) -> Any:
    """In a worker: a batch of runs, or a slice of a search."""
    return (run_slice if plan.policy in SEARCHES else run_batch)(plan, *rest)


class _Rounds:
    """The rounds of one plan. Without a portfolio all runs are one round."""

    def __init__(self, plan: Plan, count: int, deadline: float | None) -> None:
        self._plan = plan
        self._count = count
        self._deadline = deadline
        #: Where its batches begin; with a deadline the first of them is short, and a group all the same.
        self.starts = [*range(0, count, BATCH)]
        if deadline is not None and count > GROUP:
            self.starts.insert(1, GROUP)
        self._length = ROUND if plan.policy == "portfolio" else count
        self._at = 0
        self._open = 0
        self._done: dict[int, Tally] = {}

    def next_round(self) -> list[tuple[Any, ...]]:
        """The batches of the next round, as arguments of `run_batch`."""
        start, stop = self._at, min(self._at + self._length, self._count)
        shares = shares_after(self.tally().finds)
        self._at = stop
        cuts = [*(at for at in self.starts if start <= at < stop), stop]
        batches = [(self._plan, at, end, None, shares, self._deadline) for at, end in pairwise(cuts)]
        self._open = len(batches)
        return batches

    def close(self, at: int, tally: Tally) -> bool:
        """A batch is done. True: it was the last one of its round, and another one may follow."""
        self._done[at] = tally
        self._open -= 1
        return self._open == 0 and not self.cut

    @property
    def cut(self) -> bool:
        """Whether the plan is given up, because its runs hit a bound."""
        return self.tally().cut

    def tally(self) -> Tally:
        """All batches so far, in the order of their numbers, up to the one with which the plan is given up."""
        merged = Tally()
        for at in sorted(self._done):
            merged.merge(self._done[at])
            if merged.cut:
                break  # whatever else was under way by then: the result must not depend on that
        return merged


def _counterexamples(
    pool: Executor, tallies: dict[Plan, Tally], redact: bool, deadline: float | None, progress: Progress | None
) -> tuple[list[ShownFailure], bool]:
    """The shrunk failures: one for each plan, invariant and cause; thorough where a violation shows for the first time.

    When the time is up, those that show for the first time are still there, as small as they are by then. The second value
    is false if an interrupt came in between.
    """
    seen: set[tuple[str, str, str | None]] = set()
    items: list[tuple[Plan, Found, int, bool, float | None]] = []
    for plan, tally in tallies.items():
        for (invariant, cause), found in sorted(tally.found.items(), key=lambda each: (each[0][0], each[0][1] or "")):
            known = cause == LOST or (plan.strategy, invariant, cause) in seen
            seen.add((plan.strategy, invariant, cause))
            items.append((plan, found, TRIALS_SHORT if known else TRIALS_FULL, redact, deadline))
    shown: dict[tuple[Plan, str, str | None], ShownFailure] = {}
    first = deque(item for item in items if item[2] == TRIALS_FULL)
    again = deque(item for item in items if item[2] == TRIALS_SHORT)
    shrink_again = partial(shrink_found, again=True)
    made = chain(in_parallel(pool, shrink_found, first, None), in_parallel(pool, shrink_again, again, deadline))
    whole = True
    try:
        for done, ((plan, found, *_), failure) in enumerate(made, 1):
            if failure is not None:
                shown[plan, found.invariant, found.cause] = failure
            if progress is not None:
                progress("shrinking counterexamples", done, len(items))
    except KeyboardInterrupt:
        whole = False
        _add_as_found(shown, items)
    keys = [(plan, found.invariant, found.cause) for plan, found, *_ in items]
    return [shown[key] for key in keys if key in shown], whole


def _add_as_found(shown: dict[tuple[Plan, str, str | None], ShownFailure], items: Sequence[Any]) -> None:
    """Of what shows for the first time and has not been made small, the runs as they were found; till the next interrupt."""
    with suppress(KeyboardInterrupt):
        for plan, found, trials, redact, _ in items:
            key = (plan, found.invariant, found.cause)
            if trials == TRIALS_FULL and key not in shown:
                failure = shrink_found(plan, found, trials, redact, -math.inf)
                if failure is not None:
                    shown[key] = failure


def _write_traces(found: list[ShownFailure], out: Path | None) -> dict[tuple[Plan, str], dict[str, str]]:
    """Write each trace. Returns for each plan and invariant the files by cause ("" where no race is named)."""
    traces: dict[tuple[Plan, str], dict[str, str]] = {}
    taken: Counter[str] = Counter()
    for failure in found:
        invariant, cause = failure.found.invariant, failure.found.cause
        name = trace_name(failure.plan, invariant, cause)
        taken[name] += 1
        if taken[name] > 1:  # two files of one name in two folders
            name = f"{name.removesuffix('.json')}-{taken[name]}.json"
        traces.setdefault((failure.plan, invariant), {})[cause or ""] = name
        if out is not None:
            failure.trace.write(out / name)
    return traces


def _shown(found: list[ShownFailure], traces: dict[tuple[Plan, str], dict[str, str]]) -> list[Counterexample]:
    """One counterexample for each strategy, invariant and cause: the shortest. Where no race is named, its sentence is the cause."""
    best: dict[tuple[str, str, str], ShownFailure] = {}
    for failure in found:
        cause = failure.found.cause or sentence_kind(failure.trace.explanation)
        key = (failure.plan.strategy, failure.found.invariant, cause)
        if key not in best or len(failure.history) < len(best[key].history):
            best[key] = failure
    return [
        Counterexample(
            strategy=failure.plan.strategy,
            scenario=failure.plan.scenario,
            invariant=failure.found.invariant,
            cause=failure.found.cause,
            explanation=failure.trace.explanation,
            trace=traces[failure.plan, failure.found.invariant][failure.found.cause or ""],
            history=failure.history,
            events=failure.events,
            exceptions=failure.trace.exceptions,
            keys=failure.trace.keys,
        )
        for failure in best.values()
    ]


def _settings(plans: list[Plan]) -> dict[str, Any]:
    return {
        plan.strategy: settings_of(find_strategy(plan.strategy), dict(plan.settings)).model_dump(
            mode="json", exclude={"service_key"}
        )
        for plan in plans
    }
