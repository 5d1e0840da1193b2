"""The same inputs give the same history, byte for byte: again, in other processes, and from the recorded schedule."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.buffer.catalogue import load_strategy
from engine.exploration import RandomWalk, Replay, Scheduler, Timed
from engine.simulation.case import DAGGER_FAULTS, FAULTS, Case
from engine.simulation.world import World
from engine.verification import digest
from tests.simulation.steering import case_of, sending

PROBES = Path(__file__).parents[1] / "strategies" / "probes.py"
STRATEGIES = ("baseline", "lock", "lua", "lease", "fenced_lock", f"{PROBES}:Sweeps", f"{PROBES}:Waits")
POLICIES: dict[str, type[Timed] | type[RandomWalk]] = {"timed": Timed, "random": RandomWalk}

#: A run of `lease` with all faults is one of the longest there are: more of them by night, and in the determinism check.
RUNS, HASH_SEEDS = (3, ("1", "77")) if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else (1, ("77",))

CASE = case_of(
    sending(0, "a"),
    sending(0, "b", data={"x": []}),
    sending(7_700, "c"),
    sending(8_100, "d", user_phone="another"),
    functions=3,
    faults=(*FAULTS, *DAGGER_FAULTS),
    fault_budget=3,
    fault_rate=0.05,
    heal_ms=30_000,
    provider_retries=1,
    clock_offsets_ms=(0, 700, -700),
)

PROGRAM = """
import json, sys
from tests.simulation.test_determinism import CASE, digests
json.dump(digests(*json.load(sys.stdin)), sys.stdout)
"""


def one_run(strategy: str, policy: str, number: int, case: Case = CASE) -> World:
    scheduler: Scheduler = POLICIES[policy]("determinism")
    scheduler.new_run(number)
    world = World(case, load_strategy(strategy), scheduler)
    world.run()
    return world


def digests(strategies: list[str], policies: list[str], runs: int) -> list[str]:
    return [
        digest(one_run(strategy, policy, number).record.history)
        for strategy in strategies
        for policy in policies
        for number in range(runs)
    ]


@pytest.mark.slow
def test_processes_with_other_hash_seeds_give_the_same_bytes_as_this_one() -> None:
    asked: Any = (list(STRATEGIES), list(POLICIES), RUNS)
    here = digests(*asked)
    assert len(set(here)) == len(here)
    for hash_seed in HASH_SEEDS:
        answer = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        assert json.loads(answer.stdout) == here
        assert answer.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda name: name.rpartition(":")[2])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_replay_of_the_recorded_schedule_gives_the_same_bytes(policy: str, strategy: str) -> None:
    for number in range(2 * RUNS):
        world = one_run(strategy, policy, number)
        # Through JSON, as a trace file keeps it.
        schedule = json.loads(json.dumps(world.choices.deviations))
        case = Case.from_json(json.loads(json.dumps(CASE.to_json())))
        replay = Replay(schedule, stepped=POLICIES[policy].stepped)
        again = World(case, load_strategy(strategy), replay)
        assert digest(again.run()) == digest(world.record.history)
        assert again.choices.deviations == world.choices.deviations


def test_an_empty_schedule_is_a_run_in_order_and_without_faults() -> None:
    world = World(CASE, load_strategy("lua"), Replay({}, stepped=True))
    history = world.run()
    assert world.choices.deviations == {}
    assert [event["kind"] for event in history if event["event"] == "fault"] == ["clock_skew"] * 2


def test_a_history_is_json_and_nothing_else() -> None:
    history = one_run("lease", "random", 1).record.history
    assert json.loads(json.dumps(history)) == history
    assert all(isinstance(event["t"], int) for event in history)
    assert [event["t"] for event in history] == sorted(event["t"] for event in history)


def test_runs_of_other_strategies_in_between_change_nothing() -> None:
    before = digest(one_run("lease", "random", 2).record.history)
    for strategy in ("lock", "baseline", f"{PROBES}:Waits"):
        one_run(strategy, "timed", 3)
    assert digest(one_run("lease", "random", 2).record.history) == before
