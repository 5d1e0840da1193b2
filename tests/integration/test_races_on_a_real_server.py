"""What the simulator finds happens on a real server too: the same commands in the same order, executed there."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from engine.cli.main import main
from engine.load.server import EmbeddedServer, embedded_server
from engine.simulation.case import Case
from engine.simulation.real_server import RealServer
from engine.verification import RACES, Verdict, digest, judge
from scenarios.batch import Plan
from scenarios.on_server import POLICIES, causes, known_races, race_on_server
from scenarios.running import Run, replay_case, run_case, scheduler_of, violations_of
from scenarios.selection import find_strategy
from scenarios.trace import Trace

pytestmark = pytest.mark.real_server

DESIGNS = ("baseline", "lock", "lua")


def where_seen() -> dict[str, tuple[str, list[str]]]:
    """For each race, the design that shows it in most scenarios, and these: first those that are certain to show it."""
    certain, seen = known_races(DESIGNS, certain=True), known_races(DESIGNS, certain=False)
    found = {}
    for (strategy, race), names in sorted(seen.items(), key=lambda each: (len(certain.get(each[0], ())), len(each[1]))):
        first = certain.get((strategy, race), [])
        found[race] = strategy, [*first, *(name for name in names if name not in first)]
    return found


RACES_OF_THE_PLAN = where_seen()


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedServer]:
    with embedded_server() as server:
        yield server


@pytest.fixture
def server(embedded: EmbeddedServer) -> Iterator[RealServer]:
    server = RealServer(embedded.url)
    yield server
    server.close()


def simulated(strategy: str, scenario: str, number: int) -> tuple[Case, Run]:
    policy = POLICIES[number % 2]
    case = Plan(strategy=strategy, scenario=scenario, policy=policy, seed=0).case(number)
    assert case is not None
    return case, run_case(case, find_strategy(strategy), scheduler_of(policy, f"0/{number}", number))


def on_server(case: Case, strategy: str, run: Run, server: RealServer) -> Run:
    server.reset()
    return replay_case(case, find_strategy(strategy), run.schedule, stepped=run.stepped, server=server)


def test_every_race_of_the_plan_is_tried() -> None:
    # The one left out takes a design that repeats an unanswered hand-over with no key: the gallery has some.
    assert {race.name for race in RACES} - set(RACES_OF_THE_PLAN) == {"done_but_not_known"}


@pytest.mark.parametrize("race", sorted(RACES_OF_THE_PLAN))
def test_a_race_shows_on_a_real_server(race: str, server: RealServer) -> None:
    strategy, scenarios = RACES_OF_THE_PLAN[race]
    found = race_on_server(strategy, race, scenarios[:4], server, runs=100)
    assert found is not None, f"the simulation did not find {race}"
    assert found.shows, found


@pytest.mark.parametrize("strategy", ["baseline", "lock"])
@pytest.mark.parametrize("number", range(4))
def test_a_history_from_a_real_server_is_the_simulation_s_byte_for_byte(
    strategy: str, number: int, server: RealServer
) -> None:
    # Scripts apart: of their keys the server tells only which were written.
    case, run = simulated(strategy, "slow_holder", number)
    assert on_server(case, strategy, run, server).history == run.history


def test_lua_corrupts_messages_on_a_real_server_where_the_simulation_s_cjson_is_kinder(server: RealServer) -> None:
    corrupted, kinder = 0, 0
    for number in range(10):
        case, run = simulated("lua", "boundary", number)
        verdict = {j.invariant: j for j in judge(on_server(case, "lua", run, server).history)}["integrity"].verdict
        corrupted += verdict is Verdict.VIOLATED
        kinder += verdict is Verdict.VIOLATED and not any(
            v.invariant == "integrity" for v in violations_of(judge(run.history))
        )
    assert corrupted >= 5  # every run whose data hold an empty list or a big integer
    assert kinder  # the empty lists: the simulation's cjson keeps them


@pytest.mark.parametrize("strategy", ["lease", "fenced_lock"])
def test_opaque_payloads_survive_a_real_server(strategy: str, server: RealServer) -> None:
    for number in range(4):
        case, run = simulated(strategy, "hostile_payloads", number)
        assert violations_of(judge(on_server(case, strategy, run, server).history)) == []


@pytest.mark.parametrize("scenario", ["boundary", "retry", "delivery_repeats"])
def test_lease_holds_on_a_real_server(scenario: str, server: RealServer) -> None:
    for number in range(2):
        case, run = simulated("lease", scenario, number)
        assert violations_of(judge(on_server(case, "lease", run, server).history)) == []


def test_a_watched_key_s_change_is_seen_on_a_real_server(server: RealServer) -> None:
    noted = []
    for number in range(1, 14, 2):
        case, run = simulated("watch_multi_token", "burst", number)
        real = on_server(case, "watch_multi_token", run, server)
        assert causes(real.history) == causes(run.history)
        noted += [event for event in real.history if event.get("note") == "gave up on a conflict"]
    assert noted


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    number = next(n for n in range(100) if "concurrent_adds" in causes(simulated("baseline", "boundary", n)[1].history))
    case, run = simulated("baseline", "boundary", number)
    case = Case.from_json(json.loads(json.dumps(case.to_json(), sort_keys=True)))  # as a file has it
    run = replay_case(case, find_strategy("baseline"), run.schedule, stepped=run.stepped)
    violation = next(v for v in violations_of(judge(run.history)) if v.cause == "concurrent_adds")
    path = tmp_path / "trace.json"
    Trace(
        strategy="baseline",
        case=case,
        schedule=run.schedule,
        stepped=run.stepped,
        invariant=violation.invariant,
        cause=violation.cause,
        explanation=violation.explanation,
        digest=digest(run.history),
        history=run.history,
    ).write(path)
    return path


def test_replay_says_that_the_violation_shows_on_an_embedded_server(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(trace), "--redis-url", "embedded"]) == 1
    said = capsys.readouterr().out
    assert "reproduced: Valkey 9" in said
    assert "every reply as in the simulation" in said
    assert "violates no_loss" in said


def test_replay_leaves_a_given_server_as_it_was(trace: Path, embedded: EmbeddedServer) -> None:
    with redis.Redis.from_url(embedded.url) as client:
        client.config_set("notify-keyspace-events", "Ex")
        assert main(["replay", str(trace), "--redis-url", embedded.url]) == 1
        assert client.dbsize() == 0
        assert set(client.config_get("notify-keyspace-events")["notify-keyspace-events"]) == {"x", "E"}


def test_replay_does_not_touch_a_server_that_holds_keys(
    trace: Path, embedded: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with redis.Redis.from_url(embedded.url) as client:
        client.set("somebody", "s")
        try:
            assert main(["replay", str(trace), "--redis-url", embedded.url]) == 2
            assert client.get("somebody") == b"s"
        finally:
            client.delete("somebody")
    assert "holds 1 keys: give a server whose database is empty" in capsys.readouterr().err


def test_replay_says_in_one_line_that_no_server_answers(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(trace), "--redis-url", "redis://:secret@127.0.0.1:1/0"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "no Redis server answers at redis://127.0.0.1:1/0" in said
    assert "secret" not in said
