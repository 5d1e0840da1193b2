"""The harness checks itself: every run twice, in two processes with different hash seeds; the first event that differs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine.exploration import Sampler
from engine.verification import digest
from scenarios.batch import Plan
from scenarios.running import run_case
from scenarios.selection import find_scenario, find_strategy
from scenarios.verify import plans_of

Progress = Callable[[str, int, int], None]
HASH_SEEDS = ("1", "2")


def check_determinism(
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
    progress: Progress | None = None,
) -> list[str]:
    """Run everything twice. Returns a line for each plan whose histories differ, naming the first event that does."""
    plans = plans_of(strategies, scenario_names, faults, fault_budget, workload, explore, seed, settings or {})
    problems = []
    for done, plan in enumerate(plans, 1):
        count = runs or find_scenario(plan.scenario).runs
        ours, theirs = _in_two_processes({"plan": _plain(plan), "runs": count})
        for number, (one, two) in enumerate(zip(ours, theirs, strict=True)):
            if one != two:
                problems.append(f"{plan.strategy} · {plan.scenario} · run {number}: {_first_difference(plan, number)}")
                break
        if progress is not None:
            progress(f"twice: {plan.strategy} · {plan.scenario}", done, len(plans))
    return problems


def _in_two_processes(job: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The lines that two processes with different hash seeds print for one job."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", "from scenarios.determinism import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        for hash_seed in HASH_SEEDS
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write(json.dumps(job))
        process.stdin.close()
    outputs = []
    for process in started:
        assert process.stdout is not None
        outputs.append(process.stdout.read().splitlines())
        if process.wait() != 0:
            raise RuntimeError("a process of the determinism check failed: see its message above")
    return outputs[0], outputs[1]


def _first_difference(plan: Plan, number: int) -> str:
    one, two = _in_two_processes({"plan": _plain(plan), "run": number})
    for index, (ours, theirs) in enumerate(zip(one, two, strict=False)):
        if ours != theirs:
            return f"event {index} differs: {ours[:300]} against {theirs[:300]}"
    return f"one history has {len(one)} events, the other {len(two)}"


def _plain(plan: Plan) -> dict[str, Any]:
    return {
        "strategy": plan.strategy,
        "scenario": plan.scenario,
        "policy": plan.policy,
        "seed": plan.seed,
        "settings": plan.settings,
        "faults": plan.faults,
        "fault_budget": plan.fault_budget,
    }


def _plan(plain: dict[str, Any]) -> Plan:
    faults = plain["faults"]
    return Plan(
        **{
            **plain,
            "settings": tuple((name, value) for name, value in plain["settings"]),
            "faults": None if faults is None else tuple(faults),
        }
    )


def history_of(plan: Plan, number: int) -> list[dict[str, Any]]:
    """The history of one run of a plan; empty if the scenario does not concern the strategy."""
    case = plan.case(number)
    if case is None:
        return []
    sampler, strategy = (
        Sampler(plan.policy, f"{plan.seed}/{plan.strategy}/{plan.scenario}"),
        find_strategy(plan.strategy),
    )
    for before in range(sampler.first_needed(number), number):
        run_case(case, strategy, sampler.begin(before)[1])
    return run_case(case, strategy, sampler.begin(number)[1]).history


def main() -> None:
    """Print the digest of every run of a job, or every event of one run."""
    job = json.load(sys.stdin)
    plan = _plan(job["plan"])
    if "run" in job:
        for event in history_of(plan, job["run"]):
            print(json.dumps(event, sort_keys=True))
        return
    for number in range(job["runs"]):
        print(digest(history_of(plan, number)))
