"""The simulation's server against a real one: the same engine code on both, and the differences that are known."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from redis.exceptions import ResponseError

from engine.load.server import EmbeddedServer, embedded_server
from tests.integration.conformance.comparing import Comparison, Unequal
from tests.integration.conformance.known import DIFFERENCES, ERROR, Difference
from tests.integration.conformance.machine import Machine
from tests.integration.conformance.sides import FakeSide, RealSide, Side
from tests.integration.conformance.stepping import Tally

pytestmark = pytest.mark.real_server

#: Examples, each of so many steps; for a long run: python -m benchmarks.conformance.
EXAMPLES, STEPS = (400, 50) if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else (12, 12)
NOW_US = 1_800_000_000_000_000
DOCUMENT = Path(__file__).parents[2] / "docs" / "conformance.md"


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedServer]:
    with embedded_server() as server:
        yield server


def test_engine_code_does_the_same_on_the_simulation_s_server_and_on_a_real_one(embedded: EmbeddedServer) -> None:
    tally = Tally()
    machine = type("ConformanceMachine", (Machine,), {"url": embedded.url, "tally": tally})
    profile = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # when something is due depends on the real server's clock: nothing shrinks
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine, settings=profile)
    except Exception:
        # Hypothesis says first that a run did not repeat itself, which no run on a running clock does.
        pytest.fail(tally.unequal or "the machine itself failed")
    assert tally.steps > tally.discarded
    assert tally.commands.total() > tally.steps / 2


# -- the table ---------------------------------------------------------------------------------------------------------


def answer(side: Side, difference: Difference) -> str:
    client: Any = side.client
    try:
        found = client.eval(difference.script, 1, "key", difference.argument)
    except ResponseError as error:
        return f"{ERROR} {error}"
    return found.decode() if isinstance(found, bytes) else str(found)


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name)
def test_a_known_difference_is_still_one(difference: Difference, embedded: EmbeddedServer) -> None:
    simulation, server = FakeSide(), RealSide(embedded.url)
    simulation.now_us = NOW_US
    answers = [answer(side, difference) for side in (simulation, server)]
    server.client.close()
    assert difference.simulation in answers[0]
    assert difference.server in answers[1]
    assert difference.server not in answers[0]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name)
def test_a_known_difference_is_written_down(difference: Difference) -> None:
    row = next(line for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith(f"| {difference.name} |"))
    assert row.rstrip(" |").endswith(difference.touches)


def test_setex_ends_to_the_millisecond_as_on_a_real_server(embedded: EmbeddedServer) -> None:
    simulation, server = FakeSide(), RealSide(embedded.url)
    simulation.now_us = NOW_US + 900_000  # late in a second: fakeredis alone would cut the end to a whole one
    script = "redis.call(ARGV[1], KEYS[1], ARGV[2], 'x') return redis.call('PTTL', KEYS[1])"
    for command, ttl in (("SETEX", 15), ("PSETEX", 75)):
        left = [side.client.eval(script, 1, "key", command, ttl) for side in (simulation, server)]
        assert left == [ttl * (1_000 if command == "SETEX" else 1)] * 2
    server.client.close()


# -- the comparison itself ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"a", b"b"),
        ([1, 2], [1]),
        ({b"a": b"1"}, {b"a": b"2"}),
        (True, 1),
        (1_800_000_000_000_000, 1_800_000_000_010_000),
        (b"k:1800000000000000", b"k:1800000000010000"),
        (b'{"a":[1]}', b'{"a":[2]}'),
        (b'{"a":"x"}', b'{"a":"X"}'),
        (b'{"a":1}', b'{"a":"1"}'),
        (b'{"a":[]}', b'{"a":null}'),
        (None, b""),
        (ResponseError("x"), None),
    ],
)
def test_the_comparison_refuses_what_is_no_known_difference(one: Any, other: Any) -> None:
    comparison = Comparison()
    comparison.tolerance_us = 4_000
    with pytest.raises(Unequal):
        comparison.equal("value", one, other)


@pytest.mark.parametrize(
    ("one", "other", "met"),
    [
        (b'{"a":[],"b":1}', b'{"b":1,"a":{}}', "empty list"),
        (b'{"n":1234567890123456789}', b'{"n":1.2345678901235e+18}', "numbers"),
        (b'{"t":"a/b"}', b'{"t":"a\\/b"}', "order of members, spaces, escapes"),
        (ResponseError("NOSCRIPT"), ResponseError("NOSCRIPT No matching script"), "texts of errors"),
    ],
)
def test_the_comparison_counts_known_differences(one: Any, other: Any, met: str) -> None:
    comparison = Comparison()
    comparison.equal("value", one, other)
    assert comparison.met == {met: 1}
