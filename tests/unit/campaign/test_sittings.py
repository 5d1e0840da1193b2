"""A sitting ends when it is told to, loses nothing of what it found, and the next one goes on as if there had been one."""

import sqlite3
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.simulation.case import Case, Sending
from scenarios.batch import Found
from scenarios.campaign.document import document_of
from scenarios.campaign.plan import Batch, Campaign
from scenarios.campaign.run import go
from scenarios.campaign.store import Store
from scenarios.campaign.work import Done, Outcome, Shrinking, Shrunk, Task

ASKED = Campaign(
    strategies=("lock", "lease"),
    scenarios=("boundary", "burst"),
    policies=("timed", "random"),
    batch_runs=25,
    round_batches=8,
)
CASE = Case(sendings=(Sending(at_ms=0, message_id="a", text="hi", label="m1"),))
EMPTY: dict[str, Any] = {name: {} for name in ("undecided", "faults", "branches", "reasons", "races", "violations")}


class World:
    """A pool for which each task takes a second, and its clock. What it brings back depends on the task alone."""

    def __init__(self, ahead: int = 1, skipping: bool = False) -> None:
        self.ahead = ahead
        self.now = 0.0
        self.begun: list[Task] = []
        self.begun_at: list[float] = []
        self._skipping = skipping

    def clock(self) -> float:
        return self.now

    def submit(self, task: Task) -> "Future[Outcome]":
        self.begun.append(task)
        self.begun_at.append(self.now)
        self.now += 1
        future: Future[Outcome] = Future()
        future.set_result(self._done(task) if isinstance(task, Batch) else small(task))
        return future

    def _done(self, batch: Batch) -> Done:
        runs = 0 if self._skipping and batch.number % 3 else batch.runs
        counts = {
            **EMPTY,
            **dict.fromkeys(("runs", "completed", "commands", "messages"), runs),
            "skipped": batch.runs - runs,
        }
        found = [
            Found(invariant, cause, 3, 90 - 7 * batch.number % 40, CASE, {"next#1": batch.number}, stepped=True)
            for invariant, cause in (("no_loss", "expired_buffer"), ("order", None))
        ]
        return Done(batch=batch, counts=counts, points=[1, batch.number + 10], found=found)

    def restart(self) -> None: ...

    def close(self) -> None: ...


def small(task: Shrinking) -> Shrunk:
    trace = {"violation": {"explanation": "m1 was lost"}, "history": [{}] * (task.found.events // 2)}
    identity = f"{task.batch.plan.strategy}-{task.found.invariant}-{task.batch.number % 4}"
    return Shrunk(task=task, identity=identity, trace=trace)


def sit(
    path: Path, world: World, *, runs: int | None = None, seconds: float | None = None
) -> tuple[dict[str, Any], str]:
    """Begin a campaign or go on with it, and give its document and digest."""
    with closing(Store(path)) as store:
        if store.is_new:
            store.begin(ASKED, {"python": "3"})
        go(store, ASKED, world, runs=runs, seconds=seconds, progress=None, clock=world.clock)
        return document_of(store), store.digest()


@pytest.mark.parametrize("seconds", [3, 9.5, 20])
def test_when_the_time_is_up_nothing_further_is_begun(tmp_path: Path, seconds: float) -> None:
    world = World()
    document, _ = sit(tmp_path / "store", world, seconds=seconds)
    assert max(world.begun_at) < seconds <= world.now
    assert document["runs"] == 25 * sum(isinstance(task, Batch) for task in world.begun)


@pytest.mark.parametrize("ahead", [1, 5])
@pytest.mark.parametrize(("runs", "made"), [(1, 25), (80, 100), (230, 250)])
def test_a_campaign_ends_with_the_batch_that_makes_its_runs_full(
    tmp_path: Path, ahead: int, runs: int, made: int
) -> None:
    assert sit(tmp_path / "store", World(ahead), runs=runs)[0]["runs"] == made


def test_runs_that_are_reached_in_an_open_round_are_not_exceeded_by_the_rest_of_it(tmp_path: Path) -> None:
    before, _ = sit(tmp_path / "store", World(), seconds=6)
    world = World()
    after, _ = sit(tmp_path / "store", world, runs=before["runs"])
    assert after["runs"] == before["runs"]
    assert not any(isinstance(task, Batch) for task in world.begun)


def test_a_batch_that_was_begun_before_a_kill_is_done_although_the_runs_are_reached(tmp_path: Path) -> None:
    sit(tmp_path / "store", World(), seconds=9)
    with closing(sqlite3.connect(tmp_path / "store")) as db, db:
        db.execute("UPDATE batches SET counts = NULL WHERE number = 1")
        db.execute("DELETE FROM found WHERE batch = 1")
    world = World()
    document, _ = sit(tmp_path / "store", world, runs=25)
    assert [task.number for task in world.begun if isinstance(task, Batch)] == [1]
    assert document["not_made_small"] == 0


@pytest.mark.parametrize("skipping", [False, True])
@pytest.mark.parametrize("seconds", [1, 7])
def test_sittings_that_end_with_their_time_are_together_one_undisturbed_campaign(
    tmp_path: Path, seconds: float, skipping: bool
) -> None:
    _, undisturbed = sit(tmp_path / "one", World(skipping=skipping), runs=430)
    for _ in range(3):
        sit(tmp_path / "many", World(3, skipping), seconds=seconds)
    assert sit(tmp_path / "many", World(3, skipping), runs=430)[1] == undisturbed


def test_a_campaign_of_few_runs_makes_small_what_it_found(tmp_path: Path) -> None:
    document, _ = sit(tmp_path / "store", World(), runs=80)
    assert {(each["strategy"], each["invariant"]) for each in document["failures"]} == {
        (strategy, invariant) for strategy in ASKED.strategies for invariant in ("no_loss", "order")
    }
    assert all(each["trace"] for each in document["failures"])


def test_what_is_not_small_when_the_time_is_up_is_said_and_made_small_by_the_next_sitting(tmp_path: Path) -> None:
    document, _ = sit(tmp_path / "store", World(), seconds=1)
    assert [each["explanation"] for each in document["failures"]] == ["found, and not made small"] * 2
    assert document["not_made_small"] == 2
    document, _ = sit(tmp_path / "store", World(), runs=25)
    assert all(each["trace"] for each in document["failures"])
    assert document["not_made_small"] == 0


def test_neither_the_search_nor_the_making_small_waits_for_the_other(tmp_path: Path) -> None:
    world = World()
    sit(tmp_path / "store", world, seconds=10)
    kinds = [isinstance(task, Batch) for task in world.begun]
    assert kinds == [True, False] * 5


def test_what_an_earlier_sitting_found_stays_its_finding(tmp_path: Path) -> None:
    document, _ = sit(tmp_path / "store", World(), seconds=1)
    (first,) = {each["strategy"] for each in document["failures"]}
    document, _ = sit(tmp_path / "store", World(), runs=200)
    assert document["sittings"] == 2
    by_a_race = {each["strategy"]: each["sitting"] for each in document["failures"] if each["cause"]}
    assert by_a_race == {strategy: 1 if strategy == first else 2 for strategy in ASKED.strategies}
    # Of what no race explains, each schedule is a failure of its own.
    unexplained = [each["sitting"] for each in document["failures"] if each["strategy"] == first and not each["cause"]]
    assert sorted(set(unexplained)) == [1, 2]
