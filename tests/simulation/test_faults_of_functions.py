"""Crashes, pauses and clocks: what happens to a function, and what no longer does."""

import gc
import inspect
import types
from collections.abc import Generator
from datetime import datetime

import pytest

from engine.simulation.bounds import Bounds
from engine.simulation.loop import CLOSINGS, close_quietly
from engine.simulation.process import EPOCH
from tests.simulation.steering import Steered, case_of, events, notes, one, run, sending
from tests.strategies import probes


@pytest.mark.parametrize("stepped", [False, True])
def test_nothing_of_a_crashed_function_happens_any_more(stepped: bool, capfd: pytest.CaptureFixture[str]) -> None:
    case = case_of(faults=("crash",), fault_budget=1, heal_ms=60_000)
    history = run(probes.Cleans, case, scheduler=Steered({"fault f1 SET key reply#1": 1}, stepped=stepped))
    stopped = one(history, "function.stopped")
    assert stopped["reason"] == "crash"
    after = history[history.index(stopped) + 1 :]
    assert not [event for event in after if event.get("function") == "f1"]
    assert not notes(history, "goodbye")
    assert one(history, "end")["keys"] == {"key": "string"}  # what it had sent was executed
    assert one(history, "webhook.failed")["error"] == "ReadError"
    before = len(history)
    gc.collect()
    assert len(history) == before
    assert capfd.readouterr() == ("", "")


def test_what_a_crashed_function_had_sent_still_arrives() -> None:
    case = case_of(sending(0, "a"), sending(0, "b"), faults=("crash",), fault_budget=1, heal_ms=60_000)
    numbers = {"f1 SET key request#1": 10, "f1 SET key request#2": 500, "fault f1 SET key reply#1": 1}
    history = run(probes.Sets, case, numbers)
    stopped = one(history, "function.stopped")
    assert events(history, "redis.executed")[1]["t"] > stopped["t"]
    assert len(events(history, "redis.replied")) == 0


@pytest.mark.parametrize("stepped", [False, True])
def test_nothing_that_a_crashed_function_waited_for_says_anything(
    stepped: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    case = case_of(faults=("crash",), fault_budget=1, heal_ms=60_000)
    history = run(probes.CleansBelow, case, scheduler=Steered({"fault f1 SET key reply#1": 1}, stepped=stepped))
    gc.collect()
    assert one(history, "end")["keys"] == {"key": "string"}
    assert capfd.readouterr() == ("", "")


def test_a_function_that_hangs_at_the_end_says_nothing_when_it_is_closed(capfd: pytest.CaptureFixture[str]) -> None:
    # The run ends at a bound while the strategy is inside its `try`.
    history = run(probes.Cleans, bounds=Bounds(steps=6))
    gc.collect()
    assert history[-1]["event"] == "end"
    assert not notes(history, "goodbye")
    assert capfd.readouterr() == ("", "")


def test_a_crashed_function_is_replaced_and_its_calls_are_broken_off() -> None:
    case = case_of(faults=("crash",), fault_budget=1, heal_ms=60_000, provider_retries=1)
    history = run(probes.Sleeps, case, {"fault timer f1#1": 1})
    assert one(history, "function.started")["function"] == "f2"
    assert [event["function"] for event in events(history, "webhook.arrived")] == ["f1", "f2"]
    assert one(history, "webhook.answered")["status"] == 200


@pytest.mark.parametrize("stepped", [False, True])
def test_nothing_of_a_paused_function_happens_until_it_goes_on_and_its_timers_are_late(stepped: bool) -> None:
    case = case_of(sending(0, "a"), sending(500, "b"), faults=("pause",), fault_budget=1, heal_ms=60_000)
    numbers = {"fault timer f1#1": 1, "pause of f1#1": 20_000}
    if stepped:
        numbers = {"fault timer f1#1": 1, "hold pause of f1#1": 1, "until pause of f1#1": 10**6}
    history = run(probes.Sleeps, case, scheduler=Steered(numbers, stepped=stepped))
    fault, resumed = one(history, "fault"), one(history, "function.resumed")
    during = history[history.index(fault) + 1 : history.index(resumed)]
    assert not [event for event in during if event.get("function") == "f1"]
    first, second = notes(history, "awake")
    assert first["t"] == resumed["t"] > 20_000
    assert second["t"] == resumed["t"]  # due at 1,501 ms, and late


def test_a_call_that_reaches_a_paused_function_waits_for_it() -> None:
    case = case_of(sending(0, "a"), sending(5_000, "b"), faults=("pause",), fault_budget=1, heal_ms=60_000)
    history = run(probes.Sleeps, case, {"fault timer f1#1": 1, "pause of f1#1": 20_000})
    assert one(history, "webhook.arrived", call="w2")["t"] == one(history, "function.resumed")["t"]


def test_a_pause_is_over_when_the_run_heals() -> None:
    case = case_of(faults=("pause",), fault_budget=1, heal_ms=10_000)
    history = run(probes.Sleeps, case, {"fault timer f1#1": 1, "pause of f1#1": 300_000})
    assert one(history, "function.resumed")["t"] <= 10_000
    assert history.index(one(history, "function.resumed")) < history.index(one(history, "healed"))


def test_a_skewed_clock_is_off_and_drifts() -> None:
    case = case_of(sending(0), sending(100_000, "b"), faults=("clock_skew",), fault_budget=1, heal_ms=200_000)
    history = run(probes.Sets, case, {"fault f1 starts#1": 1, "skew f1#1": -1_234, "drift f1#1": 5_000})
    assert one(history, "fault")["kind"] == "clock_skew"
    off = [_clock(event) - event["t"] for event in notes(history, "received")]
    assert off == [-1_234, -1_234 + 500]


def test_a_case_can_state_each_function_s_clock() -> None:
    case = case_of(sending(0, "a"), sending(0, "b"), functions=2, clock_offsets_ms=(0, 60_000), clock_drifts_ppm=(0, 0))
    history = run(probes.Sets, case, {"route provider b#1": 1})
    assert {event["function"]: _clock(event) - event["t"] for event in notes(history, "received")} == {
        "f1": 0,
        "f2": 60_000,
    }
    assert one(history, "fault", kind="clock_skew")["actor"] == "f2"


def test_without_a_fault_every_clock_is_right() -> None:
    history = run(probes.Sets, case_of(sending(77)))
    assert [_clock(event) - event["t"] for event in notes(history, "received")] == [0]
    assert not events(history, "fault")


def test_a_retired_function_s_timers_are_gone_and_it_is_never_retired_while_it_serves() -> None:
    history = run(probes.PostsDeliveries, case_of(sending(0), retire_after_ms=0))
    assert one(history, "function.stopped")["reason"] == "retired"
    assert not notes(history, "posted")
    assert one(history, "function.started")["function"] == "f2"


def _clock(event: dict[str, str]) -> int:
    return round((datetime.fromisoformat(event["clock"]) - EPOCH).total_seconds() * 1000)


def test_what_waits_for_a_coroutine_that_never_ends_is_closed_all_the_same() -> None:
    given_up = 0

    @types.coroutine
    def once() -> Generator[None, None, None]:
        yield

    async def stubborn() -> None:
        nonlocal given_up
        while given_up <= CLOSINGS + 1:  # it gives in to whoever collects it
            try:
                await once()
            except GeneratorExit:
                given_up += 1

    async def waiting() -> None:
        await stubborn()

    coroutine = waiting()
    coroutine.send(None)
    assert close_quietly(coroutine)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
    assert given_up > CLOSINGS
