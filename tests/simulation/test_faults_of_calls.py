"""Faults of HTTP calls, of the processor and of the provider."""

from typing import Any

import pytest

from tests.simulation.steering import Event, case_of, events, notes, one, run, sending
from tests.strategies import probes


def one_fault(kind: str, **fields: Any) -> dict[str, Any]:
    return {"faults": (kind,), "fault_budget": 1, "heal_ms": 60_000, **fields}


def test_a_lost_webhook_call_reaches_no_function_and_is_sent_again() -> None:
    case = case_of(**one_fault("request_lost", provider_retries=1))
    history = run(probes.Sets, case, {"fault provider a#1": 1})
    assert [event["attempt"] for event in events(history, "webhook.sent")] == [1, 2]
    assert one(history, "webhook.arrived")["call"] == "w2"
    assert one(history, "webhook.failed")["call"] == "w1"


def test_a_lost_answer_leaves_an_accepted_message_that_the_provider_sends_again() -> None:
    case = case_of(**one_fault("reply_lost", provider_retries=1))
    history = run(probes.Sets, case, {"fault provider a#1": 1})
    assert [event["status"] for event in events(history, "webhook.answered")] == [200, 200]
    assert one(history, "webhook.failed")["call"] == "w1"
    assert one(history, "webhook.confirmed")["call"] == "w2"


def test_a_stalled_webhook_call_times_the_provider_out() -> None:
    case = case_of(**one_fault("stall"))
    numbers = {"fault provider a#1": 1, "stall provider a": 40_000, "which hop provider a": 0}
    history = run(probes.Sets, case, numbers)
    assert one(history, "webhook.failed")["t"] == 30_000
    assert one(history, "webhook.arrived")["t"] == 40_600


def test_a_repeated_webhook_has_the_same_id_and_comes_at_the_same_time_or_later() -> None:
    for later_ms in (0, 5_000):
        numbers = {"fault provider a#1": 1, "repeat provider a#1": later_ms}
        history = run(probes.Sets, case_of(**one_fault("webhook_repeated")), numbers)
        first, second = events(history, "webhook.sent")
        assert (first["id"], first["text"], first["data"]) == (second["id"], second["text"], second["data"])
        assert second["t"] - first["t"] == later_ms
        assert (first["attempt"], second["attempt"]) == (1, 2)


def test_repeats_come_within_the_repeat_horizon() -> None:
    case = case_of(**one_fault("webhook_repeated"), settings={"REPEAT_HORIZON_SECONDS": 2})
    history = run(probes.Sets, case, {"fault provider a#1": 1, "repeat provider a#1": 100_000})
    assert events(history, "webhook.sent")[1]["t"] == 2_000


def test_the_provider_gives_up_at_the_repeat_horizon() -> None:
    case = case_of(provider_retries=5, outages_ms=((0, 100_000),), settings={"REPEAT_HORIZON_SECONDS": 20})
    history = run(probes.Sets, case, {"provider retries a": 15_000})
    assert [event["t"] // 1_000 for event in events(history, "webhook.sent")] == [0, 15]


def test_a_repeated_delivery_arrives_twice_and_is_answered_once_to_its_caller() -> None:
    history = run(probes.PostsDeliveries, case_of(**one_fault("delivery_repeated")), {"fault f1 delivery#1": 1})
    posted = one(history, "delivery.posted")
    assert [event["call"] for event in events(history, "delivery.arrived")] == [posted["call"]] * 2
    assert len(events(history, "delivery.answered")) == 2
    assert len(events(history, "delivery.confirmed")) == 1
    assert one(history, "note", note="posted")["status"] == 200


def test_a_lost_delivery_raises_at_its_caller() -> None:
    history = run(probes.PostsDeliveries, case_of(**one_fault("request_lost")), {"fault f1 delivery#1": 1})
    assert not events(history, "delivery.arrived")
    assert one(history, "delivery.failed")["error"].startswith("ReadError")
    assert one(history, "task.failed")["error"].startswith("ReadError")


def test_an_endpoint_that_fails_answers_503_and_reaches_no_function() -> None:
    history = run(probes.PostsDeliveries, case_of(endpoint_failures=1))
    assert one(history, "fault")["kind"] == "endpoint_failure"
    assert not events(history, "delivery.arrived")
    assert one(history, "note", note="posted")["status"] == 503


# -- the processor -----------------------------------------------------------------------------------------------------

OUTCOMES = {
    # how → has an effect, the caller's error, milliseconds until the caller knows
    "error_500": (False, "HandOverFailed", 1_002),
    "says_failed": (False, "HandOverFailed", 1_002),
    "refused": (False, "HandOverUnanswered", 2),
    "timed_out": (False, "HandOverUnanswered", 120_000),
    "answer_lost": (True, "HandOverUnanswered", 1_002),
    "slow": (True, "HandOverUnanswered", 120_000),
}


def check_outcome(history: list[Event], how: str) -> None:
    effect, error, after_ms = OUTCOMES[how]
    sent = events(history, "handover.sent")[0]
    failed = one(history, "handover.failed", call=sent["call"])
    assert failed["error"].startswith(error)
    assert failed["t"] - sent["t"] == after_ms
    assert bool(events(history, "handover.effect", call=sent["call"])) is effect
    assert one(history, "handover.ended", call=sent["call"])["outcome"] == ("done" if effect else "failed")
    assert events(history, "note", note="error")[0]["kind"] == error


@pytest.mark.parametrize("how", OUTCOMES)
def test_each_planned_failure_of_the_processor_is_what_it_says(how: str) -> None:
    history = run(probes.HandsOver, case_of(processor_failures=(how,), heal_ms=1))
    assert one(history, "fault")["how"] == how
    check_outcome(history, how)


@pytest.mark.parametrize(("number", "how"), list(enumerate(OUTCOMES)))
def test_each_failure_of_the_processor_can_strike_as_a_fault(number: int, how: str) -> None:
    case = case_of(**one_fault("processor_failure"))
    history = run(probes.HandsOver, case, {"fault processor f1-h1#1": 1, "how processor f1-h1#1": number})
    check_outcome(history, how)


def test_a_processor_that_is_too_slow_has_its_effect_after_all_attempts() -> None:
    case = case_of(**one_fault("processor_too_slow"))
    history = run(probes.HandsOverInTheBackground, case, {"fault processor f1-h1#1": 1})
    assert one(history, "handover.effect")["t"] >= 700_000
    assert len(events(history, "handover.joined")) == 3
    assert len(notes(history, "error")) == 4


def test_planned_failures_are_met_before_the_run_heals() -> None:
    failures = ("error_500",) * 3
    history = run(probes.HandsOverInTheBackground, case_of(processor_failures=failures, heal_ms=1))
    assert len(events(history, "fault")) == 3
    healed = history.index(one(history, "healed"))
    assert all(history.index(fault) < healed for fault in events(history, "fault"))


def test_a_second_hand_over_of_a_key_at_work_joins_it_and_one_after_it_is_answered_at_once() -> None:
    case = case_of(sending(0, "a"), sending(500, "b"), sending(10_000, "c"), functions=1)
    history = run(probes.SharesAKey, case)
    effect = one(history, "handover.effect")
    assert [message["id"] for message in effect["messages"]] == ["a"]
    assert one(history, "handover.joined")["key"] == "the key"
    assert one(history, "handover.ended", outcome="joined")["t"] == effect["t"]
    repeated = one(history, "handover.repeated")
    assert repeated["t"] == one(history, "handover.ended", outcome="repeated")["t"] > effect["t"]
    assert len(events(history, "handover.confirmed")) == 3


def test_hand_overs_that_joined_a_failure_fail_with_it() -> None:
    case = case_of(sending(0, "a"), sending(500, "b"), processor_failures=("error_500",), heal_ms=1)
    history = run(probes.SharesAKey, case)
    assert len(events(history, "handover.failed")) == 2
    assert not events(history, "handover.effect")


def test_a_hand_over_with_a_lower_fence_is_refused_and_one_with_the_same_is_not() -> None:
    case = case_of(sending(0, "a", "5"), sending(5_000, "b", "4"), sending(10_000, "c", "5"))
    history = run(probes.Fences, case)
    stale = one(history, "handover.stale")
    assert (stale["fence"], stale["highest"]) == (4, 5)
    assert one(history, "handover.failed")["refused"] is True
    assert one(history, "note", note="error")["kind"] == "HandOverRefused"
    assert [effect["messages"][0]["id"] for effect in events(history, "handover.effect")] == ["a", "c"]


def test_fences_of_two_conversations_do_not_meet() -> None:
    case = case_of(sending(0, "a", "5"), sending(5_000, "b", "4", user_phone="another"))
    assert not events(run(probes.Fences, case), "handover.stale")
