"""The capacity model: its requests are those that the designs send, and its queue is the one that theory knows."""

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.buffer.errors import UsageError
from engine.cli.main import main
from engine.load.capacity.day import PROFILE, Burst, Slice, day, part
from engine.load.capacity.designs import DESIGNS
from engine.load.capacity.measured import Measured, measured
from engine.load.capacity.model import Model, Platform
from engine.load.capacity.study import study
from engine.simulation.case import Case, Sending
from engine.verification import Event
from scenarios.running import run_case, scheduler_of
from scenarios.selection import find_strategy

#: A day that is quickly over.
TWO_HOURS = (0.3, 0.7)
QUICK = Platform(delay_seconds=8, processor_seconds=(1, 1), cold_start_seconds=0, hop_seconds=0.001)


def offsets(rng: random.Random) -> list[int]:
    return [0, 1_000, 2_000]


def row(strategy: str, **more: Any) -> dict[str, Any]:
    return {
        "strategy": strategy,
        "accepted": 400,
        "seconds": 10,
        "messages_per_batch": 2.0,
        "add_ms": {"p50": 5.0},
        "service_cpu_us_per_message": 4_000,
        "redis": {
            "cpu_us_per_message": 200.0,
            "requests_per_message": 4.0,
            "commandstats": {"evalsha": {"usec_per_call": 40.0}, "get": {"usec_per_call": 4.0}},
        },
        **more,
    }


SETTINGS = {"processes": 2, "scale": 0.1, "rate_per_s": 40, "window_ms": 800, "processor_ms": [100, 500]}


def design(strategy: str = "lease", **more: Any) -> Measured:
    return replace(measured(row(strategy), SETTINGS), **more)


def one_batch(strategy: str) -> tuple[list[Event], int]:
    """A history of three messages that become one batch, without ticks, and how many they are."""
    sendings = tuple(
        Sending(
            at_ms=at_ms, instance_name="bot", user_phone="49", message_id=f"m{at_ms}", text="hello", label=f"m{at_ms}"
        )
        for at_ms in (0, 1_000, 2_000)
    )
    case = Case(scenario="capacity", sendings=sendings, hop_ms=(1, 1), processor_ms=(1_000, 1_000))
    run = run_case(case, find_strategy(strategy), scheduler_of("timed", "0", 0))
    return run.history, len(sendings)


@pytest.mark.parametrize("strategy", sorted(DESIGNS))
def test_the_model_s_requests_are_those_that_the_design_sends(strategy: str) -> None:
    history, messages = one_batch(strategy)
    # The first calls of a script are answered NOSCRIPT and sent again; ticks look for what is due; cleanups list the buffers.
    errors = {e["command"] for e in history if e["event"] == "redis.executed" and "error" in e}
    idle = {
        e["command"]
        for e in history
        if e["event"] == "redis.executed" and {"lease.due", "SCAN", "KEYS"} & set(e["args"][:2])
    }
    sent = [e for e in history if e["event"] == "redis.sent" and e["command"] not in errors | idle]
    last = max(e["t"] for e in history if e["event"] in ("handover.confirmed", "status"))
    scanned = [e for e in sent if e["t"] <= last + 100]
    requests = DESIGNS[strategy]
    once = (*requests.created, *requests.before, *requests.after, *requests.confirmed)
    assert len(scanned) == messages * len(requests.add) + sum(map(len, once))


def test_the_server_s_queue_waits_as_theory_says() -> None:
    # M/D/1 at half load: a request waits half a service time on the average.
    service_us = 10_000
    quick = design("lease", command_us={"evalsha": 0.0, "get": 0.0}, request_us=service_us, function_step_us=0.0)
    rng = random.Random(1)
    at, bursts = 0.0, []
    for _ in range(4_000):
        at += rng.expovariate(50)
        bursts.append(Burst(at, (0.0,)))
    platform = replace(QUICK, delay_seconds=1e6, instances=10**6, tick_seconds=1e9)
    waits = Model(quick, platform, "0").run(Slice(0, 50, at, tuple(bursts))).server_waits
    assert sum(waits) / len(waits) == pytest.approx(service_us / 1e6 / 2, rel=0.15)


def test_without_load_an_answer_takes_the_window_and_the_processor() -> None:
    figures = Model(design(), QUICK, "0").run(Slice(0, 0.01, 60, (Burst(1, (0.0, 1.0, 2.0)),)))
    assert figures.batches == 1
    assert figures.messages == 3
    assert [round(each) for each in figures.answers] == [9, 8, 7]


@pytest.mark.parametrize(("strategy", "batches", "lost"), [("lease", 2, 0), ("lock", 1, 1), ("lua", 2, 0)])
def test_a_message_during_processing_becomes_what_the_design_makes_of_it(
    strategy: str, batches: int, lost: int
) -> None:
    figures = Model(design(strategy), QUICK, "0").run(Slice(0, 0.01, 60, (Burst(1, (0.0, 8.5)),)))
    assert (figures.batches, figures.lost) == (batches, lost)


def test_cold_starts_are_waited_for_and_warm_instances_are_not() -> None:
    platform = replace(QUICK, cold_start_seconds=2, keep_warm_seconds=100)
    figures = Model(design(), platform, "0").run(
        Slice(0, 0.001, 400, (Burst(1, (0.0,)), Burst(50, (0.0,)), Burst(300, (0.0,))))
    )
    assert figures.adds[0] > 2
    assert figures.adds[1] < 0.1
    assert figures.adds[2] > 2


def test_no_more_instances_than_there_may_be() -> None:
    bursts = tuple(Burst(1 + number / 100, (0.0,)) for number in range(20))
    figures = Model(design(), replace(QUICK, instances=40), "0").run(Slice(0, 1, 60, bursts))
    assert figures.instances_most <= 40
    assert figures.batches == 20


def test_a_day_has_the_messages_that_it_is_said_to_have() -> None:
    assert sum(PROFILE) == pytest.approx(1)
    hours = list(day(1_000_000, offsets, PROFILE, "0"))
    sent = sum(sum(len(burst.after_seconds) for burst in hour.bursts) * 3_600 / hour.seconds for hour in hours)
    assert sent == pytest.approx(1_000_000, rel=0.05)


def test_the_same_seed_makes_the_same_traffic() -> None:
    assert part(3, 60, offsets, "7") == part(3, 60, offsets, "7")
    assert part(3, 60, offsets, "7") != part(3, 60, offsets, "8")


def test_a_request_s_time_adds_up_to_what_the_server_has_spent() -> None:
    found = measured(row("lease"), SETTINGS)
    ticks = 16 * 2 / (10 * 0.1) / 40
    per_message = {"add and ticks": (1 + ticks) * 40, "before": 0.5 * (4 + 40), "after": 0.5 * 40}
    total = 1 + ticks + 0.5 * 3
    assert found.modelled_requests_per_message == pytest.approx(total)
    assert found.request_us * total + sum(per_message.values()) == pytest.approx(200)


@pytest.mark.parametrize("change", [{"redis": None}, {"messages_per_batch": None}, {"strategy": "mine.py:Mine"}])
def test_a_row_that_cannot_be_modelled_is_refused(change: Mapping[str, Any]) -> None:
    with pytest.raises(UsageError, match="the load's row of"):
        measured({**row("lease"), **change}, SETTINGS)


def load_document() -> dict[str, Any]:
    return {
        "schema": 1,
        "kind": "load",
        "command": "bufferproof load --compare",
        "machine": {"cores": 2, "server": "Valkey 9.1.2"},
        "settings": SETTINGS,
        "rows": [row(name) for name in ("baseline", "lease")],
    }


def test_a_bigger_volume_needs_more_and_a_design_saturates_where_its_peak_needs_all() -> None:
    document = study(load_document(), offsets, volumes=(2_000, 100_000), profile=TWO_HOURS)
    for small, big in zip(document["rows"][::2], document["rows"][1::2], strict=True):
        assert big["busiest_hour"]["server_busy_share"] > small["busiest_hour"]["server_busy_share"]
        assert big["cost_a_day"]["total"] > 5 * small["cost_a_day"]["total"]
        end = big["saturation"]
        assert end["messages_a_day"] == min(end["by_server"], end["by_functions"])


def test_the_command_writes_its_result_and_shows_the_checks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.load.capacity.day.PROFILE", TWO_HOURS)
    load = tmp_path / "load.json"
    load.write_text(json.dumps(load_document()))
    arguments = ["capacity", "--load", str(load), "--check", str(load), "--volume", "500", "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert "predicted and measured" in capsys.readouterr().out
    document = json.loads((tmp_path / "capacity.json").read_text())
    assert (document["kind"], len(document["rows"]), len(document["checks"])) == ("capacity", 2, 2)


@pytest.mark.parametrize(
    ("content", "says"),
    [("{", "not JSON"), ('{"kind": "verify"}', "no result of a load"), (None, "there is no such file")],
)
def test_a_wrong_file_is_refused_in_one_line(
    content: str | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load = tmp_path / "load.json"
    if content is not None:
        load.write_text(content)
    assert main(["capacity", "--load", str(load)]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
