"""Every fault between a function and Redis happens as it is defined, and only so."""

import pytest

from engine.buffer import Strategy
from tests.simulation.steering import Event, Steered, case_of, events, notes, one, run, sending
from tests.strategies import probes


def struck(kind: str, strategy: type[Strategy] = probes.Sets, **choices: int) -> list[Event]:
    """A run in which one fault of this kind strikes the first SET."""
    numbers = {"fault f1 SET key#1": 1} | {name.replace("_", " "): value for name, value in choices.items()}
    return run(strategy, case_of(faults=(kind,), fault_budget=1, heal_ms=60_000), numbers)


def test_a_lost_request_is_not_executed_and_the_client_sees_an_error() -> None:
    history = struck("request_lost")
    assert one(history, "fault")["kind"] == "request_lost"
    assert not events(history, "redis.executed", "redis.replied")
    assert one(history, "redis.failed")["error"] == "request_lost"
    assert one(history, "note", note="error")["kind"] == "ConnectionError"
    assert one(history, "webhook.answered")["status"] == 503
    assert one(history, "end")["keys"] == {}


def test_a_lost_reply_is_executed_and_the_client_sees_an_error() -> None:
    history = struck("reply_lost")
    executed, failed = one(history, "redis.executed"), one(history, "redis.failed")
    assert executed["writes"] == ["key"]
    assert failed["error"] == "reply_lost"
    assert history.index(executed) < history.index(failed)
    assert one(history, "note", note="error")["kind"] == "ConnectionError"
    assert one(history, "end")["keys"] == {"key": "string"}


def test_after_a_break_the_next_connection_takes_a_hop() -> None:
    history = struck("request_lost", probes.Stubborn)
    first, second = events(history, "redis.sent")
    assert second["t"] - first["t"] >= 500 + 2  # the pause of the strategy, the error's hop and the connection's
    assert one(history, "webhook.answered")["status"] == 200


def test_a_stalled_request_times_the_client_out_after_5_s_and_is_executed_all_the_same() -> None:
    numbers = {"fault f1 SET key#1": 1, "stall f1 SET key": 9_000, "which hop f1 SET key": 0}
    history = run(probes.Sets, case_of(faults=("stall",), fault_budget=1, heal_ms=60_000), numbers)
    sent, failed, executed = one(history, "redis.sent"), one(history, "redis.failed"), one(history, "redis.executed")
    assert failed["t"] - sent["t"] == 5_000
    assert failed["error"] == "given_up"
    assert executed["t"] - sent["t"] == 600 + 9_000  # beyond the window
    assert one(history, "note", note="error")["kind"] == "TimeoutError"
    assert not events(history, "redis.replied")


def test_a_stalled_reply_is_executed_in_time_and_the_client_times_out() -> None:
    numbers = {"fault f1 SET key#1": 1, "stall f1 SET key": 9_000, "which hop f1 SET key": 1}
    history = run(probes.Sets, case_of(faults=("stall",), fault_budget=1, heal_ms=60_000), numbers)
    sent, failed, executed = one(history, "redis.sent"), one(history, "redis.failed"), one(history, "redis.executed")
    assert executed["t"] - sent["t"] == 1
    assert failed["t"] - sent["t"] == 5_000
    assert not events(history, "redis.replied")


def test_a_stall_shorter_than_the_client_s_patience_is_only_slow() -> None:
    numbers = {"fault f1 SET key#1": 1, "stall f1 SET key": 700, "which hop f1 SET key": 0}
    history = run(probes.Sets, case_of(faults=("stall",), fault_budget=1, heal_ms=60_000), numbers)
    assert one(history, "redis.executed")["t"] - one(history, "redis.sent")["t"] == 1_300
    assert one(history, "webhook.answered")["status"] == 200


@pytest.mark.parametrize("stepped", [False, True])
def test_a_stall_is_beyond_the_window_in_both_kinds_of_time(stepped: bool) -> None:
    numbers = {"fault f1 SET key#1": 1, "stall f1 SET key": 700, "which hop f1 SET key": 0}
    case = case_of(faults=("stall",), fault_budget=1, heal_ms=60_000, hop_ms=(1, 2_000))
    history = run(probes.Sets, case, scheduler=Steered(numbers, stepped=stepped))
    assert one(history, "redis.executed")["t"] - one(history, "redis.sent")["t"] == 2_700


def test_a_restart_breaks_every_connection_and_keeps_the_data() -> None:
    # f2's reply is on its way when f1's request makes the server restart.
    case = case_of(sending(0, "a"), sending(0, "b"), functions=2, faults=("restart",), fault_budget=1, heal_ms=60_000)
    numbers = {
        "route provider b#1": 1,
        "fault f1 SET key#1": 1,
        "f1 SET key request#1": 100,
        "f2 SET key request#1": 50,
        "f2 SET key reply#1": 200,
    }
    history = run(probes.Sets, case, numbers)
    assert one(history, "redis.executed")["function"] == "f2"
    assert {event["function"]: event["error"] for event in events(history, "redis.failed")} == {
        "f1": "restart",
        "f2": "restart",
    }
    assert len({event["t"] for event in events(history, "redis.failed")}) == 1
    assert one(history, "end")["keys"] == {"key": "string"}


def test_what_is_on_its_way_when_the_server_restarts_is_not_executed_later() -> None:
    case = case_of(sending(0, "a"), sending(0, "b"), functions=2, faults=("restart",), fault_budget=1, heal_ms=60_000)
    numbers = {
        "route provider b#1": 1,
        "fault f1 SET key#1": 1,
        "f1 SET key request#1": 100,
        "f2 SET key request#1": 300,
    }
    history = run(probes.Sets, case, numbers)
    assert not events(history, "redis.executed")
    assert len(events(history, "redis.failed")) == 2


def errors_of_evalsha(kind: str) -> list[str]:
    """Three calls of one script; the fault strikes at the second one's EVALSHA."""
    sendings = (sending(0, "a"), sending(1_000, "b"), sending(2_000, "c"))
    case = case_of(*sendings, faults=(kind,), fault_budget=1, heal_ms=60_000, provider_retries=1)
    history = run(probes.Scripted, case, {"fault f1 EVALSHA count#3": 1, "provider retries b#1": 10_000})
    assert sorted(event["count"] for event in notes(history, "counted")) == [1, 2, 3]
    evalshas = [event for event in events(history, "redis.executed") if event["args"][0] == "EVALSHA"]
    return [event.get("error", "ok").split()[0] for event in evalshas]


def test_after_a_script_flush_the_next_evalsha_finds_no_script_and_the_client_loads_it_again() -> None:
    assert errors_of_evalsha("script_flush") == ["NOSCRIPT", "ok", "NOSCRIPT", "ok", "ok"]


def test_a_server_that_restarted_has_forgotten_its_scripts() -> None:
    assert errors_of_evalsha("restart") == ["NOSCRIPT", "ok", "NOSCRIPT", "ok", "ok"]


def test_redis_cannot_be_reached_for_an_interval_and_then_it_can() -> None:
    case = case_of(outages_ms=((0, 3_000),), heal_ms=3_000)
    history = run(probes.Stubborn, case)
    assert one(history, "fault")["kind"] == "unreachable"
    assert {event["error"] for event in events(history, "redis.failed")} == {"unreachable"}
    assert all(event["t"] < 3_000 for event in events(history, "redis.failed"))
    assert one(history, "redis.executed")["t"] >= 3_000
    assert one(history, "webhook.answered")["status"] == 200


def test_an_outage_as_a_fault_lasts_as_long_as_is_chosen() -> None:
    history = struck("unreachable", probes.Stubborn, outage_f1_SET_key=7_000)
    fault_at = events(history, "redis.failed")[0]["t"]
    assert one(history, "redis.executed")["t"] >= fault_at + 7_000
    assert one(history, "healed")["t"] >= fault_at + 7_000


def test_a_run_does_not_heal_while_a_fault_is_still_about_to_strike() -> None:
    case = case_of(faults=("unreachable",), fault_budget=1, heal_ms=100)
    history = run(probes.Stubborn, case, {"fault f1 SET key#1": 1, "f1 SET key request#1": 600})
    assert events(history, "redis.failed")[0]["t"] > 100
    assert history.index(one(history, "healed")) > history.index(events(history, "redis.failed")[-1])


def test_lost_data_is_lost() -> None:
    case = case_of(sending(0, "a"), sending(1_000, "b"), faults=("restart_data_lost",), fault_budget=1, heal_ms=60_000)
    history = run(probes.Sets, case, {"fault f1 SET key#2": 1})
    assert events(history, "redis.executed")
    assert one(history, "end")["keys"] == {}


def test_an_evicted_key_is_gone() -> None:
    case = case_of(sending(0, "a"), sending(1_000, "b"), faults=("eviction",), fault_budget=1, heal_ms=60_000)
    history = run(probes.Scripted, case, {"fault f1 EVALSHA count#3": 1})
    assert one(history, "key.evicted")["key"] == "count"
    assert [event["count"] for event in notes(history, "counted")] == [1, 1]
