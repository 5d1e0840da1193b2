import asyncio
import json
from pathlib import Path

import pytest

from engine.buffer.production import connect
from engine.cli.main import main
from engine.load.micro import adds_of, messages, packed
from engine.load.result import ratios
from engine.load.server import embedded_server

pytestmark = pytest.mark.real_server


@pytest.mark.slow
def test_a_short_load_of_lease_violates_nothing_and_writes_its_figures(tmp_path: Path) -> None:
    status = main(
        ["load", "--seconds", "3", "--rate", "8", "--scale", "0.05", "--processes", "1", "--out", str(tmp_path)]
    )
    document = json.loads((tmp_path / "load-lease.json").read_text())
    (row,) = document["rows"]
    assert (document["schema"], document["kind"], document["settings"]["window_ms"]) == (1, "load", 400)
    assert row["accepted"] == row["sent"] == row["with_effect"] == row["add_ms"]["count"] > 0
    safety = ("no_loss", "no_duplicate", "batch_stable", "order", "one_at_a_time", "isolation", "integrity")
    assert {name: row["verdicts"][name] for name in safety} == dict.fromkeys(safety, "holds")
    assert row["redis"]["commandstats"]["evalsha"]["calls"] > row["accepted"]
    assert status == (1 if row["violations_total"] else 0)


@pytest.mark.slow
def test_under_kills_stops_restarts_and_cuts_lease_loses_and_doubles_nothing(tmp_path: Path) -> None:
    arguments = ["--seconds", "6", "--rate", "6", "--scale", "0.02", "--processes", "2", "--out", str(tmp_path)]
    main(["load", "--chaos", *arguments])
    (row,) = json.loads((tmp_path / "load-chaos-lease.json").read_text())["rows"]
    assert row["accepted"] > 0
    assert (row["lost"], row["doubled"]) == (0, 0)
    assert min(row["faults"][kind] for kind in ("kills", "stops", "restarts", "cuts")) > 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--rate", "0"], "--rate"),
        (["--scale", "2"], "--scale"),
        (["--seconds", "nan"], "--seconds"),
        (["--processes", "0"], "--processes"),
        (["--workload", "real_chatt"], "did you mean real_chat"),
        (["--strategy", "leaze"], "did you mean lease"),
        (["--redis-url", "redis://127.0.0.1:1"], "--redis-url"),
        (["--set", "SHARD=2"], "did you mean SHARDS"),
    ],
)
def test_what_cannot_be_loaded_is_one_line_and_status_2(
    arguments: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["load", "--seconds", "1", "--out", str(tmp_path), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line
    assert list(tmp_path.iterdir()) == []


async def test_what_is_measured_of_an_add_is_what_the_strategy_sends() -> None:
    (first, second) = await adds_of("lease", messages("p", 2))
    assert first[0] == "EVALSHA"
    assert '"id":"p-0"' in first[9]
    assert '"id":"p-1"' in second[9]
    assert packed(("ECHO", "é")) == b"*2\r\n$4\r\nECHO\r\n$2\r\n\xc3\xa9\r\n"


def test_a_ratio_has_no_value_where_there_is_nothing_to_divide_by() -> None:
    row = {
        "add_ms": {"p99": 2.0},
        "errors_total": 0,
        "violations_total": 0,
        "service_cpu_us_per_message": 1,
        "redis": None,
    }
    other = {**row, "strategy": "lock", "add_ms": {"p99": 8.0}}
    found = ratios([{**row, "strategy": "lease"}, other])["lock"]
    assert (found["add_p99"], found["add_p50"], found["errors_and_violations"]) == (0.25, None, None)


async def test_a_database_that_holds_something_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with embedded_server() as server:
        redis = connect(server.url)
        await redis.set("mine", "1")
        arguments = ["load", "--seconds", "1", "--redis-url", server.url, "--out", str(tmp_path)]
        assert await asyncio.to_thread(main, arguments) == 2
        assert await redis.get("mine") == b"1"
        await redis.aclose()
