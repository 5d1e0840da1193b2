"""What must not happen to messages: loss, doubling, changed batches, wrong order, overlap, foreign or altered content."""

from typing import Any

import pytest

from engine.verification import Verdict
from tests.unit.verification.paper import Paper, judged

V, U, H = Verdict.VIOLATED, Verdict.UNKNOWN, Verdict.HOLDS


def one_message(**start: Any) -> Paper:
    paper = Paper(**start)
    paper.message("m1")
    return paper


def fail(paper: Paper, times: int, *, outcome: str = "failed") -> None:
    for n in range(times):
        paper.hand_over("m1", 10_000 * (n + 1), key="k1", fence=n, outcome=outcome)


# no_loss


def test_a_message_that_was_not_accepted_cannot_be_lost() -> None:
    paper = Paper()
    paper.message("m1", status=503)
    judgement = judged(paper.end(), "no_loss")
    assert (judgement.verdict, judgement.applicable) == (U, False)


def test_dead_lettered_after_all_attempts_is_no_loss() -> None:
    paper = one_message(attempts=3)
    fail(paper, 3)
    paper.dead_letter(60_000, "m1")
    assert judged(paper.end(), "no_loss").verdict is H


def test_dead_lettered_one_attempt_too_early_is_a_loss() -> None:
    paper = one_message(attempts=3)
    fail(paper, 2)
    paper.dead_letter(60_000, "m1")
    violation = judged(paper.end(), "no_loss").violations[0]
    assert violation.explanation == (
        "m1 was accepted at 0.020 s and dead-lettered at 60.000 s after 2 of 3 unconfirmed hand-overs: too early"
    )


def test_a_handover_refused_for_its_fence_does_not_count_as_an_attempt() -> None:
    paper = one_message(attempts=3)
    fail(paper, 2)
    paper.hand_over("m1", 50_000, key="k1", fence=0, outcome="stale")
    paper.dead_letter(60_000, "m1")
    assert judged(paper.end(), "no_loss").verdict is V


def test_an_effect_after_an_early_dead_letter_is_no_loss() -> None:
    paper = one_message()
    paper.dead_letter(9_000, "m1")
    paper.hand_over("m1", 10_000)
    assert judged(paper.end(), "no_loss").verdict is H


def test_a_second_dead_letter_that_is_due_makes_up_for_an_early_one() -> None:
    paper = one_message(attempts=2)
    paper.dead_letter(9_000, "m1")
    fail(paper, 2)
    paper.dead_letter(60_000, "m1")
    assert judged(paper.end(), "no_loss").verdict is H


def test_a_key_that_had_its_effect_before_is_said_to_be_why_the_next_one_has_none() -> None:
    paper = Paper()
    paper.message("m1")
    paper.hand_over("m1", 8_010, key="k1")
    paper.message("m2", 20_000)
    paper.hand_over("m2", 28_010, key="k1", outcome="repeated")
    (violation,) = judged(paper.end(), "no_loss").violations
    assert violation.explanation.endswith("without an effect: its key had had its effect at 9.010 s, with m1")


def test_a_message_that_joined_a_key_which_had_its_effect_without_it_is_lost() -> None:
    paper = one_message()
    paper.message("m2", 100)
    paper.hand_over("m1", 8_010, key="k1")
    paper.hand_over("m1 m2", 20_000, key="k1", outcome="repeated")
    assert [v.messages for v in judged(paper.end(), "no_loss").violations] == [("m2",)]


def test_a_second_effect_of_a_key_is_none_whatever_it_carries() -> None:
    paper = one_message()
    paper.message("m2", 100)
    paper.hand_over("m1", 8_010, key="k1")
    paper.hand_over("m1 m2", 20_000, key="k1")
    history = paper.end()
    assert judged(history, "no_duplicate").verdict is H
    assert [v.messages for v in judged(history, "no_loss").violations] == [("m2",)]


def test_the_same_id_in_two_conversations_is_two_messages() -> None:
    paper = Paper()
    paper.message("m1", id="x", conversation=("bot", "1"))
    paper.message("m2", id="x", conversation=("bot", "2"))
    paper.hand_over("m1", 8_010)
    assert [v.messages for v in judged(paper.end(), "no_loss").violations] == [("m2",)]


# no_duplicate


def test_twice_in_one_batch_is_a_doubling() -> None:
    paper = one_message()
    paper.hand_over("m1 m1", 8_010)
    assert judged(paper.end(), "no_duplicate").violations[0].explanation == (
        "m1 stands twice in the batch that had its effect at 9.010 s"
    )


def test_handovers_without_a_key_are_effects_of_their_own() -> None:
    paper = one_message()
    paper.hand_over("m1", 8_010)
    paper.hand_over("m1", 20_000)
    assert judged(paper.end(), "no_duplicate").verdict is V


def test_a_failed_handover_and_a_good_one_are_one_effect() -> None:
    paper = one_message()
    paper.hand_over("m1", 8_010, outcome="failed")
    paper.hand_over("m1", 20_000)
    assert judged(paper.end(), "no_duplicate").verdict is H


def test_done_with_the_answer_lost_is_an_effect() -> None:
    paper = one_message()
    paper.hand_over("m1", 8_010, outcome="answer_lost")
    paper.hand_over("m1", 20_000)
    assert judged(paper.end(), "no_duplicate").verdict is V


# batch_stable


def test_another_order_under_one_key_is_another_batch() -> None:
    paper = one_message()
    paper.message("m2", 100)
    paper.hand_over("m1 m2", 8_010, key="k1", outcome="failed")
    paper.hand_over("m2 m1", 20_000, key="k1")
    assert judged(paper.end(), "batch_stable").verdict is V


def test_without_keys_there_is_nothing_to_keep_stable() -> None:
    paper = one_message()
    paper.hand_over("m1", 8_010)
    assert not judged(paper.end(), "batch_stable").applicable


# order


def test_an_earlier_message_handed_over_later_is_out_of_order() -> None:
    paper = one_message()
    paper.message("m2", 100)
    paper.hand_over("m2", 8_010)
    paper.hand_over("m1", 20_000)
    violation = judged(paper.end(), "order").violations[0]
    assert violation.messages == ("m1", "m2")
    assert violation.explanation.endswith("but had its effect at 21.000 s, after m2 at 9.010 s")


def test_an_answer_that_the_provider_did_not_get_orders_messages_too() -> None:
    paper = one_message()
    paper.message("m2", 21)
    paper.hand_over("m2 m1", 8_010)
    assert judged(paper.end(), "order").verdict is V


def test_messages_in_flight_together_have_no_order() -> None:
    paper = one_message()
    paper.message("m2", 19)
    paper.hand_over("m2 m1", 8_010)
    judgement = judged(paper.end(), "order")
    assert (judgement.verdict, judgement.applicable) == (U, False)


def test_a_dead_lettered_message_is_exempt_from_the_order() -> None:
    paper = one_message(attempts=1)
    paper.message("m2", 100)
    paper.hand_over("m1", 8_010, outcome="failed")
    paper.dead_letter(10_000, "m1")
    paper.hand_over("m2", 11_000)
    paper.hand_over("m1", 20_000)
    assert judged(paper.end(), "order").verdict is H


def test_two_conversations_have_no_order_between_them() -> None:
    paper = one_message()
    paper.message("m2", 100, conversation=("bot", "2"))
    paper.hand_over("m2", 8_010)
    paper.hand_over("m1", 20_000)
    assert not judged(paper.end(), "order").applicable


def test_each_message_that_came_too_early_is_named_once() -> None:
    paper = one_message()
    paper.message("m2", 100)
    paper.message("m3", 200)
    paper.hand_over("m3 m2 m1", 8_010)
    assert [v.messages for v in judged(paper.end(), "order").violations] == [("m1", "m3"), ("m1", "m2")]


# one_at_a_time


@pytest.mark.parametrize(("first", "second"), [("k1", "k2"), (None, "k2"), ("k1", None), (None, None)])
def test_overlapping_work_with_different_keys_or_without_is_found(first: str | None, second: str | None) -> None:
    paper = one_message()
    paper.message("m2", 100)
    paper.hand_over("m1", 8_010, 9_000, key=first)
    paper.hand_over("m2", 8_500, 9_500, key=second)
    assert judged(paper.end(), "one_at_a_time").verdict is V


@pytest.mark.parametrize("outcome", ["joined", "repeated", "stale"])
def test_what_does_no_work_of_its_own_overlaps_nothing(outcome: str) -> None:
    paper = one_message()
    paper.hand_over("m1", 8_010, 9_000, key="k1")
    paper.hand_over("m1", 8_500, 8_600, key="k2", outcome=outcome)
    assert judged(paper.end(), "one_at_a_time").verdict is H


def test_two_conversations_may_be_worked_on_at_once() -> None:
    paper = one_message()
    paper.message("m2", 100, conversation=("bot", "2"))
    paper.hand_over("m1", 8_010, 9_000)
    paper.hand_over("m2", 8_500, 9_500)
    assert judged(paper.end(), "one_at_a_time").verdict is H


@pytest.mark.parametrize(("given_up", "verdict"), [(8_400, H), (8_600, V)])
def test_only_a_batch_given_up_before_the_next_is_exempt(given_up: int, verdict: Verdict) -> None:
    paper = one_message()
    paper.message("m2", 100)
    paper.hand_over("m1", 8_010, 9_000, key="k1")
    paper.dead_letter(given_up, "m1")
    paper.hand_over("m2", 8_500, 9_500, key="k2")
    assert judged(paper.end(), "one_at_a_time").verdict is verdict


def test_a_lost_message_that_went_out_under_another_conversation_is_said_to_have() -> None:
    paper = Paper()
    paper.message("m1", conversation=("botA", "7"))
    paper.message("m2", conversation=("bota", "7"))
    paper.hand_over("m2 m1", 8_010)
    said = judged(paper.end(), "no_loss").violations[0].explanation
    assert said.endswith("never handed over in its conversation: it was under ['bota', '7'], at 8.010 s")


def test_another_message_of_the_same_id_that_went_out_elsewhere_is_not_taken_for_it() -> None:
    paper = Paper()
    paper.message("m1", id="id", text="one", conversation=("botA", "7"))
    paper.message("m2", id="id", text="two", conversation=("bota", "7"))
    paper.hand_over("m2", 8_010, conversation=("botx", "7"))
    said = {v.messages: v.explanation for v in judged(paper.end(), "no_loss").violations}
    assert said[("m1",)].endswith("and never handed over")
    assert said[("m2",)].endswith("it was under ['botx', '7'], at 8.010 s")


def test_an_id_that_another_conversation_has_too_is_not_taken_for_the_message() -> None:
    paper = Paper()
    paper.message("m1", id="id", conversation=("botA", "7"))
    paper.message("m2", id="id", conversation=("bota", "7"))
    paper.hand_over("m2", 8_010)
    assert judged(paper.end(), "no_loss").violations[0].explanation.endswith("and never handed over")


# isolation and integrity


def test_another_text_under_a_known_id_is_said_to_have_been_sent_again() -> None:
    paper = Paper()
    paper.message("m1", text="one")
    paper.message("m2", 1_000, id=paper.batch("m1")[0]["id"], text="two")
    changed = [{**paper.batch("m1")[0], "text": "two"}]
    paper.hand_over("m1", 8_010, messages=changed)
    (violation,) = judged(paper.end(), "integrity").violations
    assert violation.explanation.endswith('as "two", with which it was sent again at 1.000 s: the first counts')


def test_the_payload_of_another_conversation_under_a_shared_id_is_foreign() -> None:
    paper = Paper()
    paper.message("m1", id="x", text="mine", conversation=("bot", "1"))
    paper.message("m2", id="x", text="yours", conversation=("bot", "2"))
    paper.hand_over("m1", 8_010, messages=paper.batch("m2"), conversation=("bot", "1"))
    assert judged(paper.end(), "isolation").violations[0].messages == ("m2",)


def test_an_id_that_nobody_sent_is_an_altered_one_not_a_foreign_one() -> None:
    paper = one_message()
    paper.hand_over("m1", 8_010, messages=[{"id": "M1", "text": "hello", "data": None}])
    history = paper.end()
    assert judged(history, "isolation").verdict is H
    assert judged(history, "integrity").verdict is V


@pytest.mark.parametrize("message_id", [1, None, True, ["m1"], {"m1": 1}])
def test_an_id_that_is_no_text_any_more_is_altered(message_id: object) -> None:
    paper = Paper()
    paper.message("m1", id="1")
    paper.hand_over("m1", 8_010, messages=[{"id": message_id, "text": "hello", "data": None}])
    assert judged(paper.end(), "integrity").verdict is V


@pytest.mark.parametrize(
    ("sent", "handed_over"),
    [
        (1, 1.0),
        (1, True),
        (0, False),
        ([], {}),
        ({"a": None}, {}),
        ("é", "e\u0301"),
        (1234567890123456789, 1.2345678901234568e18),
        ([1, 2], [2, 1]),
        ({"a": {"b": 1}}, {"a": {"b": 1.0}}),
        (None, ""),
    ],
)
def test_data_of_another_value_or_type_is_altered(sent: object, handed_over: object) -> None:
    paper = Paper()
    paper.message("m1", data=sent)
    paper.hand_over("m1", 8_010, messages=[{"id": "m1", "text": "hello", "data": handed_over}])
    assert judged(paper.end(), "integrity").verdict is V


@pytest.mark.parametrize("data", [None, [], {}, 10**30, "\ud800", {"a": [1.5, {"b": []}]}, "مرحبا"])
def test_data_that_came_through_is_not(data: object) -> None:
    paper = Paper()
    paper.message("m1", data=data)
    paper.hand_over("m1", 8_010)
    assert judged(paper.end(), "integrity").verdict is H


def test_the_first_payload_counts() -> None:
    for handed_over, verdict in (("first", H), ("second", V)):
        paper = Paper()
        paper.message("m1", text="first")
        paper.message("m1", 5_000, text="second", attempt=2)
        paper.hand_over("m1", 8_010, messages=[{"id": "m1", "text": handed_over, "data": None}])
        assert judged(paper.end(), "integrity").verdict is verdict


def test_of_two_sendings_at_once_either_may_be_the_first() -> None:
    paper = Paper()
    paper.message("m1", text="first")
    paper.message("m1", 5, text="second", attempt=2)
    paper.hand_over("m1", 8_010, messages=[{"id": "m1", "text": "second", "data": None}])
    assert judged(paper.end(), "integrity").verdict is H


@pytest.mark.parametrize(("outcome", "verdict"), [("repeated", H), ("joined", H), ("stale", H), ("failed", V)])
def test_another_payload_counts_only_where_the_processor_works_on_it(outcome: str, verdict: Verdict) -> None:
    paper = Paper()
    paper.message("m1", text="first")
    paper.hand_over("m1", 8_010, key="k1")
    other = [{"id": "m1", "text": "second", "data": None}]
    paper.hand_over("m1", 20_000, key="k1", outcome=outcome, messages=other)
    assert judged(paper.end(), "integrity").verdict is verdict
