"""What a process of the determinism check does: it makes the runs that it is told of, unjudged, and says what they were."""

import itertools
import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from typing import Any

from engine.buffer.errors import UsageError
from engine.exploration import SEARCHES, Abandoned, Sampler
from engine.verification import digest
from scenarios.batch import Plan
from scenarios.running import History, run_case
from scenarios.search import search_case
from scenarios.selection import find_scenario, find_strategy
from scenarios.verify import BATCH

#: What is printed of a run that the scenario has not for the strategy, before what is refused, and when a job is done.
SKIPPED, REFUSED, DONE = "skipped", "refused: ", "done"


def main(*, backwards: bool) -> None:
    """For each job: print the digest of every run, or every event of its one run."""
    answers = sys.stdout
    with redirect_stdout(sys.stderr):  # what a strategy prints is no answer
        for line in sys.stdin:
            job = json.loads(line)
            plan = _plan(job["plan"])
            try:
                said = _said(plan, job["start"], job["stop"], events=job["events"], backwards=backwards)
            except UsageError as error:
                said = [REFUSED + " ".join(str(error).split())]
            print(*said, DONE, sep="\n", file=answers, flush=True)


def _plan(plain: dict[str, Any]) -> Plan:
    faults = plain["faults"]
    settings = tuple((name, value) for name, value in plain["settings"])
    return Plan(**{**plain, "settings": settings, "faults": None if faults is None else tuple(faults)})


def _said(plan: Plan, start: int, stop: int, *, events: bool, backwards: bool) -> list[str]:
    if events:
        asked = histories(plan, start, stop)
        return [json.dumps(event, sort_keys=True) for history in asked for event in history or ()]
    batch = stop - start if plan.policy in SEARCHES else BATCH
    starts = range(start, stop, batch)
    batches = {
        at: [SKIPPED if history is None else digest(history) for history in histories(plan, at, min(at + batch, stop))]
        for at in (reversed(starts) if backwards else starts)
    }
    return [text for at in starts for text in batches[at]]


def histories(plan: Plan, start: int, stop: int) -> Iterator[History | None]:
    """The histories of a plan's runs `start..stop-1`; None for one that the scenario has not for the strategy."""
    if plan.policy in SEARCHES:
        yield from _searched(plan, start, stop)
        return
    strategy = find_strategy(plan.strategy)
    sampler = Sampler(plan.policy, plan.stream)
    for number in range(sampler.first_needed(start), stop):
        case = plan.case(number)
        history = None if case is None else run_case(case, strategy, sampler.begin(number)[1]).history
        if number >= start:  # one before was made for what its group learns from it
            yield history


def _searched(plan: Plan, start: int, stop: int) -> Iterator[History | None]:
    number, cases = 0, find_scenario(plan.scenario).cases
    for each in itertools.count() if cases is None else range(cases):
        for history in itertools.islice(_of_one_case(plan, each), stop - number):
            if number >= start:
                yield history
            number += 1
        if number == stop:
            return


def _of_one_case(plan: Plan, number: int) -> Iterator[History | None]:
    case, walk = search_case(plan, number), SEARCHES[plan.policy]()
    if case is None:
        yield None
        return
    while walk.new_run(walk.runs):
        with suppress(Abandoned):
            yield run_case(case, find_strategy(plan.strategy), walk).history
