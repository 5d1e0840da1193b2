"""Campaigns: long searches over all cores or a cluster, resumable, that remember every failure they found.

`campaign(...)` is the whole of it: it opens the store, runs rounds of batches, and exports the result document.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.buffer.catalogue import BUILT_IN
from engine.buffer.errors import UsageError
from engine.exploration import SAMPLED
from engine.simulation.world import settings_of
from scenarios.campaign.document import document_of, write
from scenarios.campaign.plan import BATCH_RUNS, ROUND_BATCHES, TRIALS, Campaign
from scenarios.campaign.pools import pool_for
from scenarios.campaign.run import Line, Progress, Status, go, program
from scenarios.campaign.store import Store, damage_told
from scenarios.catalogue import SCENARIOS
from scenarios.corpus import kept_in
from scenarios.selection import chosen_faults, find_scenario, find_strategy
from scenarios.trace import portable

__all__ = ["CampaignResult", "Line", "Progress", "Status", "campaign"]

HELD, VIOLATED, UNDECIDED = 0, 1, 3


@dataclass(frozen=True)
class CampaignResult:
    """What a campaign has found so far."""

    document: dict[str, Any]
    digest: str

    @property
    def exit_status(self) -> int:
        """1 if there is a violation that is not written down, 3 if no run completed, else 0."""
        if any(failure["new"] for failure in self.document["failures"]):
            return VIOLATED
        return HELD if self.document["completed"] else UNDECIDED


def campaign(
    strategies: Sequence[str] | None = None,
    scenario_names: Sequence[str] | None = None,
    policies: Sequence[str] | None = None,
    faults: Sequence[str] | None = None,
    fault_budget: int | None = None,
    settings: dict[str, str] | None = None,
    seed: int | None = None,
    runs: int | None = None,
    seconds: float | None = None,
    jobs: int | None = None,
    dask: str | None = None,
    store: Path = Path(".bufferproof/campaign.sqlite"),
    resume: bool = False,
    corpus: Path | None = None,
    out: Path | None = None,
    batch_runs: int = BATCH_RUNS,
    round_batches: int = ROUND_BATCHES,
    trials: tuple[int, int] = TRIALS,
    command: str | None = None,
    progress: Progress | None = None,
) -> CampaignResult:
    """Run a campaign, or go on with one.

    It ends with the batch that makes so many `runs` in all full, begins nothing more after so many `seconds` of this sitting,
    or ends, where neither is given, when what is covered no longer grows. Raises `UsageError`.
    """
    asked: dict[str, Any] = {
        "strategies": strategies,
        "scenarios": scenario_names,
        "policies": policies,
        "faults": faults,
        "fault_budget": fault_budget,
        "settings": settings or None,
        "seed": seed,
    }
    if resume and not store.is_file():
        raise UsageError(f"--resume: there is no store {store}: leave --resume out to begin one")
    wanted = (
        None
        if resume
        else replace(_checked(**asked), batch_runs=batch_runs, round_batches=round_batches, trials=trials)
    )
    with ExitStack() as stack:
        if corpus is not None:
            kept_in(corpus)  # what is no trace is said now, not after an hour
        pool = pool_for(jobs, dask)  # before the store: what is not there leaves none behind
        stack.callback(pool.close)
        stack.enter_context(damage_told(store))
        opened = stack.enter_context(_kept_if_it_holds_anything(store))
        if wanted is None:
            wanted, made_by = opened.asked()
            _refuse_changes(wanted, made_by, {name: value for name, value in asked.items() if value is not None}, store)
        elif opened.is_new:
            opened.begin(wanted, program(wanted.strategies))
        else:
            opened.asked()  # raises if it is another program's
            raise UsageError(f"store {store}: it holds a campaign: go on with --resume, or give another --store")
        go(opened, wanted, pool, runs=runs, seconds=seconds, progress=progress)
        document = document_of(opened, command)
        if out is not None:
            write(opened, document, out, corpus)
        return CampaignResult(document, opened.digest())


@contextmanager
def _kept_if_it_holds_anything(path: Path) -> Iterator[Store]:
    """An open store. One that is new is gone again if what is asked turns out to be wrong before a batch is done."""
    store = Store(path)
    try:
        new = store.is_new
        try:
            yield store
        except UsageError:
            if new and not store.holds_results():
                path.unlink()
            raise
    finally:
        store.close()


def _checked(
    strategies: Sequence[str] | None,
    scenarios: Sequence[str] | None,
    policies: Sequence[str] | None,
    faults: Sequence[str] | None,
    fault_budget: int | None,
    settings: dict[str, str] | None,
    seed: int | None,
) -> Campaign:
    """What is asked, checked before anything runs. Raises `UsageError`."""
    names = tuple(dict.fromkeys(strategies or BUILT_IN))
    for spec in names:
        settings_of(find_strategy(spec), settings or {})
    chosen = tuple(dict.fromkeys(scenarios or (name for name, each in SCENARIOS.items() if not each.dagger)))
    for name in chosen:
        find_scenario(name)
    sampled = tuple(SAMPLED)  # neither their mix, since a campaign makes its own, nor those that enumerate a case
    for policy in policies or ():
        if policy not in sampled:
            raise UsageError(f"--explore {policy}: a campaign samples runs by {', '.join(sampled)}")
    return Campaign(
        strategies=tuple(portable(spec) for spec in names),
        scenarios=chosen,
        policies=tuple(dict.fromkeys(policies or sampled)),
        faults=chosen_faults(list(faults) if faults is not None else None),
        fault_budget=fault_budget,
        seed=seed or 0,
        settings=tuple(sorted((settings or {}).items())),
    )


def _refuse_changes(campaign: Campaign, made_by: dict[str, str], given: dict[str, Any], store: Path) -> None:
    """Raise `UsageError` if a campaign that goes on is asked for something else, or the program is another one."""
    again = _checked(
        **{
            name: given.get(name)
            for name in ("strategies", "scenarios", "policies", "faults", "fault_budget", "settings", "seed")
        }
    )
    for name in given:
        if getattr(again, name) != getattr(campaign, name):
            raise UsageError(
                f"--resume: the campaign in {store} has {name} {json.dumps(getattr(campaign, name))}: leave the option out,"
                " or begin another campaign in another --store"
            )
    now = program(campaign.strategies)
    if changed := [name for name in now if now[name] != made_by.get(name)]:
        raise UsageError(
            f"--resume: the program has changed since ({', '.join(changed)}), and its runs with it: begin another campaign"
            " in another --store"
        )
