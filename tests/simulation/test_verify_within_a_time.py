"""`verify --seconds`, and an interrupt: when the time is up, what was found is still shown, as small as it is by then."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

import scenarios
from engine.buffer.errors import UsageError
from scenarios.batch import Tally, run_batch
from scenarios.pool import Here, pool_of
from scenarios.result import Result
from scenarios.search import run_slice
from scenarios.verify import _counterexamples, _Rounds, plans_of, run_all

HELD_ROW = {"verdict": "holds", "runs": 9, "applicable_runs": 9}


def test_each_violation_has_its_counterexample_when_the_time_is_up() -> None:
    plans = plans_of(["baseline"], ["boundary", "during_processing"], None, None, None, "portfolio", 0, {})
    with pool_of(1) as pool:
        tallies = run_all(pool, dict.fromkeys(plans, 25), None, None)
        shown, _ = _counterexamples(pool, tallies, False, deadline=0.0, progress=None)
    found = {key for tally in tallies.values() for key in tally.found if key[1] != "loss"}
    assert len(found) >= 3
    assert {(each.found.invariant, each.found.cause) for each in shown} == found
    assert len(shown) == len(found)
    assert all(each.trace.history == each.history for each in shown)


def test_scenarios_that_were_not_run_are_named_and_leave_it_undecided() -> None:
    result = scenarios.verify(["lease"], ["boundary", "burst"], seconds=1e-9, jobs=1)
    assert result.document["not_run"] == ["lease · boundary", "lease · burst"]
    partly = Result({**result.document, "rows": [HELD_ROW], "not_run": ["lease · burst"]}, [])
    assert partly.exit_status == 3
    assert Result({**partly.document, "not_run": []}, []).exit_status == 0


def test_no_run_is_begun_after_the_time() -> None:
    plans = plans_of(["baseline"], ["boundary"], None, None, None, "portfolio", 0, {})
    with pool_of(1) as pool:
        (tally,) = run_all(pool, dict.fromkeys(plans, 25), 0.0, None).values()
    assert tally.runs == 0


def test_a_scenario_that_is_not_for_a_design_is_no_reason_to_be_undecided() -> None:
    mine = "tests/strategies/broken/core.py:Core"
    result = scenarios.verify(strategies=[mine], scenario_names=["mixed_rollout", "quick"], runs=2, seconds=100, jobs=1)
    assert result.document["not_run"] == result.document["cut_short"] == []
    assert result.exit_status == 0
    with pytest.raises(UsageError, match=r"mixed_rollout is not for .*core\.py:Core"):
        scenarios.verify(strategies=[mine], scenario_names=["mixed_rollout"], runs=2, jobs=1)


def test_a_design_that_hangs_was_given_up_and_not_cut_short_by_the_time() -> None:
    hangs = "tests/strategies/broken/naive.py:Spins"
    result = scenarios.verify(strategies=[hangs], scenario_names=["boundary"], runs=25, seconds=100, jobs=1)
    assert result.document["cut_short"] == []
    assert result.exit_status == 3


def test_a_search_that_ended_by_itself_was_not_cut_short() -> None:
    result = scenarios.verify(["lock"], ["small_blank"], explore="dpor", jobs=1, seconds=300)
    assert {row["exhausted"] for row in result.document["rows"]} == {True}
    assert result.document["cut_short"] == []


class Noting(Here):
    """Stands in for the processes: notes the batches it is given and makes no run."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int, int]] = []

    def submit(self, _work: Any, /, *batch: Any, **_kwargs: Any) -> "Future[Any]":
        plan, start, stop, *_ = batch
        self.begun.append((plan.scenario, start, stop))
        return super().submit(Tally, runs=stop - start, completed=stop - start)


def order_of(explore: str, deadline: float | None) -> list[tuple[str, int, int]]:
    """The batches of two scenarios, of 30 and of 5 runs, as they are begun: scenario, first run, last run and one."""
    plans = plans_of(["lock"], ["boundary", "burst"], None, None, None, explore, 0, {})
    pool = Noting()
    run_all(pool, dict(zip(plans, (30, 5), strict=True)), deadline, None)
    return pool.begun


@pytest.mark.parametrize("explore", ["portfolio", "random"])
def test_with_a_time_all_scenarios_have_a_few_runs_before_any_has_more(explore: str) -> None:
    in_turn = [("boundary", 0, 5), ("burst", 0, 5), ("boundary", 5, 25), ("boundary", 25, 30)]
    assert order_of(explore, deadline=math.inf) == in_turn
    assert order_of(explore, deadline=None) == [("boundary", 0, 25), ("burst", 0, 5), ("boundary", 25, 30)]


def test_a_portfolio_opens_no_round_before_the_last_one_is_closed_within_a_time_too() -> None:
    (plan,) = plans_of(["lock"], ["boundary"], None, None, None, "portfolio", 0, {})
    rounds = _Rounds(plan, 130, math.inf)
    first = [(at, end) for _, at, end, *_ in rounds.next_round()]
    assert first == [(0, 5), (5, 25), (25, 50), (50, 75), (75, 100)]
    closed = [rounds.close(at, Tally(runs=end - at, completed=end - at)) for at, end in first]
    assert closed == [False, False, False, False, True]
    assert [(at, end) for _, at, end, *_ in rounds.next_round()] == [(100, 125), (125, 130)]


@pytest.mark.parametrize("explore", ["portfolio", "pct", "dpor"])
def test_a_time_that_is_long_enough_changes_no_run(explore: str) -> None:
    plans = plans_of(["lock"], ["small_burst"], None, None, None, explore, 0, {})
    with pool_of(1) as pool:
        (within,), (without,) = (
            run_all(pool, dict.fromkeys(plans, 30), deadline, None).values() for deadline in (math.inf, None)
        )
    assert within == without
    assert within.runs == 30


def test_a_batch_that_is_under_way_begins_no_run_after_the_time() -> None:
    plan, search = (
        plans_of(["lock"], ["small_burst"], None, None, None, explore, 0, {})[0] for explore in ("portfolio", "dpor")
    )
    assert run_batch(plan, 0, 25, until=0.0).runs == 0
    assert run_slice(search, 0, 0, 25, None, 0.0)[0].runs == 0


def test_an_interrupt_ends_the_runs_and_what_they_came_to_is_shown(tmp_path: Path) -> None:
    def interrupt(label: str, done: int, _total: int) -> None:
        if label.startswith("lock") and done == 2:
            raise KeyboardInterrupt

    result = scenarios.verify(["lock"], ["boundary"], runs=100, jobs=1, out=tmp_path, progress=interrupt)
    assert result.document["stopped"] is True
    assert result.document["cut_short"] == ["lock · boundary"]
    assert {row["runs"] for row in result.document["rows"]} == {50}
    assert "no_loss" in {each.invariant for each in result.counterexamples}
    assert json.loads((tmp_path / "results.json").read_text())["stopped"] is True


def test_an_interrupt_before_the_first_run_leaves_the_results_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results.json").write_text("those of before")

    def interrupt(*_: object) -> Iterator[None]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(sys.modules["scenarios.verify"], "in_parallel", interrupt)
    result = scenarios.verify(["lock"], ["boundary"], runs=25, jobs=1, out=tmp_path)
    assert result.document["rows"] == []
    assert result.exit_status == 3
    assert (tmp_path / "results.json").read_text() == "those of before"


def test_an_interrupt_while_counterexamples_are_made_small_shows_the_others_as_they_were_found(tmp_path: Path) -> None:
    def interrupt(label: str, done: int, _total: int) -> None:
        if label.startswith("shrinking") and done == 1:
            raise KeyboardInterrupt

    result = verify_baseline(tmp_path, interrupt)
    whole = verify_baseline(tmp_path / "whole", lambda *_: None)
    assert result.document["stopped"] is True
    assert [(each.invariant, each.cause) for each in result.counterexamples] == [
        (each.invariant, each.cause) for each in whole.counterexamples if each.cause != "loss"
    ]
    longer = [
        len(each.exceptions) > len(small.exceptions)
        for each, small in zip(result.counterexamples, whole.counterexamples, strict=False)
    ]
    assert not longer[0]
    assert any(longer)
    assert (tmp_path / "results.json").exists()


def verify_baseline(out: Path, progress: Callable[[str, int, int], None]) -> Result:
    return scenarios.verify(["baseline"], ["boundary"], runs=25, jobs=1, out=out, progress=progress)


def test_sigterm_ends_verify_with_what_it_has_and_without_a_verdict_that_all_held(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from engine.buffer import Receipt, Strategy\n"
        "class Mine(Strategy):\n"
        "    name = 'mine'\n"
        "    tick_ms = None\n"
        "    async def receive(self, message):\n"
        "        open('calls', 'a').write('.')\n"
        "        await self.runtime.hand_over([message], key=message.message_id)\n"
        "        return Receipt()\n"
    )
    line = [sys.executable, "-m", "engine.cli.main", "verify", "--strategy", "mine.py:Mine", "--jobs", "2"]
    line += ["--scenario", "blank_texts", "--runs", "100000"]
    calls = tmp_path / "calls"
    process = subprocess.Popen(
        line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    while not calls.exists() or calls.stat().st_size < 2_000:  # some batches of 25 runs are done
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    os.killpg(process.pid, signal.SIGTERM)  # `timeout` sends it to the process, and then to its group
    out, err = (text.decode() for text in process.communicate())
    assert process.returncode == 1, err  # it does not buffer at all
    document = json.loads((tmp_path / ".bufferproof" / "results.json").read_text())
    assert document["stopped"] is True
    assert {row["runs"] for row in document["rows"]} <= set(range(25, 100_000))
    assert "violates buffered" in out
    assert "it was stopped: " in err
    assert "Traceback" not in err
