"""What `bufferproof campaign` says: of each strategy, of what is new, and of a wrong call."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.cli import campaign as command
from engine.cli.main import main
from scenarios.campaign import CampaignResult


def strategy(name: str, runs: int, failures: int = 0, **violations: int) -> dict[str, Any]:
    return {"strategy": name, "runs": runs, "coverage": 7 * runs, "failures": failures, "violations": violations}


def failure(strategy: str, *, new: bool, sitting: int = 2) -> dict[str, Any]:
    return {
        "strategy": strategy,
        "invariant": "no_loss",
        "cause": "expired_buffer",
        "scenario": "ttl",
        "explanation": "m1 was accepted at 0.000 s and never handed over",
        "new": new,
        "new_race": False,
        "sitting": sitting,
        "trace": f"campaign/{strategy}.json",
    }


DOCUMENT: dict[str, Any] = {
    "strategies": [strategy("lease", 1), strategy("lock", 2_000, 2, no_loss=1, order=30), strategy("lua", 0)],
    "failures": [failure("lock", new=False), failure("mine", new=True)],
    "not_made_small": 2,
    "not_replayed": 0,
    "runs": 2_001,
    "messages": 9_000,
    "rounds": 1,
    "sittings": 2,
    "runs_per_s": 90.5,
    "coverage": 14_007,
    "seed": 3,
    "completed": 2_001,
}


def test_it_says_what_each_strategy_did_and_what_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    command._show(CampaignResult(DOCUMENT, "digest"), Path("out"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "lease: 1 run, 7 points covered, no violation found"
    assert lines[1].endswith("2 different failures: no_loss in 1 run, order in 30 runs")
    assert lines[2].startswith("lua: not run")
    assert "NEW: mine violates no_loss (expired_buffer) in ttl" in lines
    assert "  replay: bufferproof replay out/campaign/mine.json" in lines
    assert "1 failure of a kind that is written down: out/campaign/ has a trace of each" in lines
    assert "2 failures found and not made small yet: --resume does that" in lines
    assert lines[-1] == "2,001 runs of 9,000 messages in 1 round, 90.5 runs/s, 14,007 points covered, seed 3"


def test_what_an_earlier_sitting_found_is_said_to_be_of_that_one_and_comes_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    earlier, now = failure("mine", new=True, sitting=1), failure("other", new=True)
    command._show(CampaignResult({**DOCUMENT, "failures": [earlier, now]}, ""), Path("out"))
    told = [line for line in capsys.readouterr().out.splitlines() if "violates" in line]
    assert told == [
        "NEW: other violates no_loss (expired_buffer) in ttl",
        "found in sitting 1, not written down: mine violates no_loss (expired_buffer) in ttl",
    ]


@pytest.mark.parametrize("found", [[failure("mine", new=True, sitting=1)], [failure("mine", new=True)]])
def test_a_sitting_that_found_nothing_of_its_own_and_ends_with_1_says_so(
    found: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    result = CampaignResult({**DOCUMENT, "failures": found}, "")
    command._show(result, Path("out"))
    said = "this sitting found nothing new; the exit status is 1 for what earlier ones found" in capsys.readouterr().out
    assert said == (found[0]["sitting"] == 1)
    assert result.exit_status == 1


def test_it_ends_with_1_at_what_is_new_and_with_3_if_nothing_completed() -> None:
    assert CampaignResult(DOCUMENT, "").exit_status == 1
    assert CampaignResult({**DOCUMENT, "failures": DOCUMENT["failures"][:1]}, "").exit_status == 0
    assert CampaignResult({**DOCUMENT, "failures": [], "completed": 0}, "").exit_status == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--strategy", "nope"], "unknown strategy nope"),
        (["--explore", "dpor"], "a campaign samples runs by"),
        (["--resume"], "leave --resume out to begin one"),
        (["--dask", "here"], "write it as tcp://HOST:PORT"),
        (["--dask", "tcp://127.0.0.1:8786", "--jobs", "2"], "exclude each other"),
        (["--corpus", "corpus"], "corpus/broken.json: this is no trace"),
        (["--store", "broken.sqlite", "--runs", "1"], "this is no store of a campaign"),
        (["--store", "other.sqlite", "--runs", "1"], "this is no store of a campaign"),
    ],
)
def test_a_wrong_call_is_one_line_and_2(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("corpus").mkdir()
    Path("corpus/broken.json").write_text("{}", "utf-8")
    Path("broken.sqlite").write_text("no database, " * 100, "utf-8")
    with closing(sqlite3.connect("other.sqlite")) as other:
        other.execute("CREATE TABLE notes (text TEXT)")
    assert main(["campaign", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not Path(".bufferproof").exists()


def test_a_strategy_that_cannot_be_made_leaves_no_store_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = "class Mine:\n    name = 'mine'\n    def __init__(self, env):\n        raise KeyError('URL')\n"
    Path("mine.py").write_text(wrong + "    async def receive(self, message):\n        pass\n")
    asked = ["campaign", "--strategy", "mine.py:Mine", "--scenario", "burst", "--runs", "2", "--store", "s.sqlite"]
    for _ in range(2):
        assert main([*asked, "--jobs", "1"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "mine" in line
        assert "URL" in line
    assert not Path("s.sqlite").exists()


def test_a_campaign_that_is_terminated_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def terminated(**_selection: Any) -> None:
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL, "it would end the process"
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("scenarios.campaign.campaign", terminated)
    assert main(["campaign", "--strategy", "lease", "--out", str(tmp_path)]) == 130
    assert "stopped; go on with: bufferproof " in capsys.readouterr().err
