"""What must come, and when: windows, answers, deadlines, statuses that are true, nothing left behind."""

from typing import Any

import pytest

from engine.verification import Verdict
from engine.verification.facts import Facts
from engine.verification.invariants.timely import deadline_ms
from tests.unit.verification.paper import Paper, judged

V, U, H = Verdict.VIOLATED, Verdict.UNKNOWN, Verdict.HOLDS


def one_message(**start: Any) -> Paper:
    paper = Paper(**start)
    paper.message("m1")
    return paper


# buffered


@pytest.mark.parametrize(("sent", "verdict"), [(8_009, V), (8_010, H)])
def test_no_handover_before_the_window_ends(sent: int, verdict: Verdict) -> None:
    paper = one_message()
    paper.hand_over("m1", sent)
    assert judged(paper.end(), "buffered").verdict is verdict


@pytest.mark.parametrize(("t", "verdict"), [(7_989, V), (7_990, H)])
def test_what_was_accepted_within_the_window_belongs_to_the_batch(t: int, verdict: Verdict) -> None:
    paper = one_message()
    paper.message("m2", t)
    paper.hand_over("m1", 8_010)
    paper.hand_over("m2", 20_000)
    assert judged(paper.end(), "buffered").verdict is verdict


def test_a_message_received_at_the_same_instant_belongs_to_neither() -> None:
    paper = one_message()
    paper.message("m2", 0)
    paper.hand_over("m1", 8_010)
    paper.hand_over("m2", 20_000)
    assert judged(paper.end(), "buffered").verdict is H


def test_a_neighbour_that_went_with_the_batch_before_is_not_missing() -> None:
    paper = one_message()
    paper.message("m2", 7_000)
    paper.message("m3", 7_100)
    paper.hand_over("m1 m3", 8_010)
    paper.hand_over("m2", 20_000)
    missing = [v.messages for v in judged(paper.end(), "buffered").violations]
    assert missing == [("m2",)]  # m2 is missing from the first batch; m3 is not missing from the second


def test_a_later_attempt_of_a_batch_is_no_batch_of_its_own() -> None:
    paper = one_message()
    paper.hand_over("m1", 8_010, key="k1", outcome="failed")
    paper.message("m2", 7_995)
    paper.hand_over("m1", 20_000, key="k1")
    paper.hand_over("m2", 30_000, key="k2")
    assert judged(paper.end(), "buffered").verdict is H


@pytest.mark.parametrize(("kind", "applicable"), [("clock_skew", True), ("stall", False)])
def test_the_window_is_judged_under_no_fault_but_clock_skew(kind: str, applicable: bool) -> None:
    paper = one_message()
    paper.event(1, "fault", kind=kind)
    paper.hand_over("m1", 4_000)
    assert judged(paper.end(), "buffered").applicable is applicable


# available


def test_a_call_that_the_provider_gave_up_waiting_for_is_not_answered() -> None:
    paper = one_message()
    paper.event(40, "webhook.sent", call="x", conversation=["bot", "49151"], id="m2", text="", attempt=1, label="m2")
    paper.event(30_040, "webhook.failed", call="x", error="time-out")
    paper.event(31_000, "webhook.answered", call="x", function="f1", status=200)
    assert judged(paper.end(), "available").violations[0].explanation == (
        "the webhook call of m2, sent at 0.040 s, was not answered: the provider saw time-out at 30.040 s"
    )


def test_a_call_that_is_open_at_the_end_was_never_answered() -> None:
    paper = one_message()
    paper.event(40, "webhook.sent", call="x", conversation=["bot", "49151"], id="m2", text="", attempt=1, label="m2")
    assert judged(paper.end(), "available").verdict is V
    assert judged(paper.so_far()[:-1], "available").verdict is U


@pytest.mark.parametrize(("healed", "verdict"), [(50, V), (100, H)])
def test_under_faults_only_calls_after_healing_must_be_answered(healed: int, verdict: Verdict) -> None:
    paper = one_message()
    paper.event(10, "fault", kind="crash")
    paper.message("m2", 60, status=503)
    paper.event(healed, "healed")
    paper.message("m3", 200)
    assert judged(paper.end(), "available").verdict is verdict


@pytest.mark.parametrize(("hop_ms", "function", "verdict"), [(2_500, "f1", H), (2_500, "f2", V), (2_499, "f1", V)])
def test_a_call_whose_client_gave_up_a_command_is_judged_where_no_command_need_be_given_up(
    hop_ms: int, function: str, verdict: Verdict
) -> None:
    paper = one_message(hop_ms=[1, hop_ms])
    paper.message("m2", 60, status=503)
    paper.event(75, "redis.failed", command=1, function=function, error="given_up")
    assert judged(paper.end(), "available").verdict is verdict


# timely


def test_the_bound_is_the_sum_of_what_may_be_in_front() -> None:
    paper = one_message(hop_ms=[0, 100], processor_ms=[0, 5_000], tick_ms=1_000)
    assert deadline_ms(Facts(paper.end()), 0) == 8_000 + 2 * (1_000 + 40 * 100 + 5_000) + 2_000


@pytest.mark.parametrize(("done", "verdict"), [(30_020, H), (30_021, V)])
def test_an_effect_is_timely_until_its_bound(done: int, verdict: Verdict) -> None:
    paper = one_message(hop_ms=[0, 100], processor_ms=[0, 5_000], tick_ms=1_000)
    paper.hand_over("m1", 8_010, done)
    assert judged(paper.end(), "timely").verdict is verdict


@pytest.mark.parametrize(
    ("lives_until", "done", "verdict"), [(22_000, 44_000, H), (22_000, 44_001, V), (22_001, 43_001, V)]
)
def test_a_tick_is_waited_for_until_a_function_lives_for_one(lives_until: int, done: int, verdict: Verdict) -> None:
    paper = one_message(hop_ms=[0, 100], processor_ms=[0, 5_000], tick_ms=1_000, functions=1)
    for number, at in enumerate([*range(500, 21_500, 500), lives_until], 1):
        paper.event(at, "function.stopped", function=f"f{number}", reason="retired")
        paper.event(at, "function.started", function=f"f{number + 1}")
    paper.hand_over("m1", done - 1_000, done)
    assert judged(paper.end(), "timely").verdict is verdict


@pytest.mark.parametrize(
    ("stopped_at", "done", "verdict"),
    [(8_500, 1_808_500, H), (8_500, 1_808_501, V), (9_500, 1_808_500, V)],
)
def test_what_a_retired_function_was_handing_over_may_have_to_wait_for_its_claim_to_end(
    stopped_at: int, done: int, verdict: Verdict
) -> None:
    paper = one_message(hop_ms=[0, 100], processor_ms=[0, 5_000], tick_ms=1_000)
    paper.message("m2", 9_000)
    paper.hand_over("m1", 8_010, 9_000)  # known to f1 at 9.001 s, if it lives until then
    paper.event(stopped_at, "function.stopped", function="f1", reason="retired")
    paper.hand_over("m2", done - 1_000, done, function="f2")
    assert judged(paper.end(), "timely").verdict is verdict


@pytest.mark.parametrize(("writes", "verdict"), [(["lease"], H), ([], V)])
def test_a_retired_function_with_a_write_under_way_may_have_claimed_something(
    writes: list[str], verdict: Verdict
) -> None:
    paper = one_message(hop_ms=[0, 100], processor_ms=[0, 5_000], tick_ms=1_000)
    command = {"command": 900, "function": "f1", "args": ["EVAL", "claim"]}
    paper.event(8_005, "redis.sent", **command)
    paper.event(8_006, "redis.executed", **command, reply="1", reads=["lease"], writes=writes)
    paper.event(8_008, "function.stopped", function="f1", reason="retired")
    paper.hand_over("m1", 200_000, 201_000, function="f2")
    assert judged(paper.end(), "timely").verdict is verdict


def test_a_write_under_way_that_was_none_of_this_conversation_excuses_nothing() -> None:
    paper = one_message(hop_ms=[0, 100], processor_ms=[0, 5_000], tick_ms=1_000)
    paper.hand_over("m1", 8_010, 9_000)
    command = {"command": 900, "function": "f9", "args": ["SET", "other"]}
    paper.event(20_000, "redis.sent", **command)
    paper.event(20_001, "redis.executed", **command, reply="OK", reads=[], writes=["other"])
    paper.event(20_002, "function.stopped", function="f9", reason="retired")
    paper.message("m2", 300_000)
    paper.hand_over("m2", 1_600_000, 1_601_000)
    assert judged(paper.end(), "timely").verdict is V


@pytest.mark.parametrize(("named", "verdict"), [("49151", H), ("other", V)])
def test_a_write_under_way_that_names_the_conversation_may_leave_its_lock_behind(named: str, verdict: Verdict) -> None:
    paper = one_message(hop_ms=[0, 100], processor_ms=[0, 5_000], tick_ms=1_000)
    paper.hand_over("m1", 8_010, 9_000)
    command = {"command": 900, "function": "f1", "args": ["DEL", f"lock:{named}"]}
    paper.event(9_010, "redis.sent", **command)
    paper.event(9_011, "redis.executed", **command, reply="1", reads=[], writes=[f"lock:{named}"])
    paper.event(9_012, "function.stopped", function="f1", reason="retired")
    paper.message("m2", 9_500)
    paper.hand_over("m2", 200_000, 201_000, function="f2")
    assert judged(paper.end(), "timely").verdict is verdict


def test_the_last_of_several_interruptions_counts_and_none_makes_a_deadline_earlier() -> None:
    paper = one_message(hop_ms=[0, 100], processor_ms=[0, 5_000], tick_ms=1_000)
    paper.hand_over("m1", 8_010, 12_000)
    paper.event(8_500, "function.stopped", function="f1", reason="retired")
    paper.message("m2", 2_400_000)
    paper.hand_over("m2", 2_408_010, 2_412_000, function="f2")
    paper.event(2_409_000, "function.stopped", function="f2", reason="retired")
    paper.message("m3", 2_409_500)
    paper.hand_over("m3", 2_574_000, 2_575_000, function="f3")
    assert judged(paper.end(5_000_000), "timely").verdict is H


def test_an_interruption_of_long_ago_makes_no_deadline_earlier() -> None:
    paper = one_message(hop_ms=[0, 100], processor_ms=[0, 5_000], tick_ms=1_000)
    paper.hand_over("m1", 8_010, 12_000)
    paper.event(8_500, "function.stopped", function="f1", reason="retired")
    paper.message("m2", 2_400_000)
    paper.hand_over("m2", 2_499_000, 2_500_000, function="f2")
    (violation,) = judged(paper.end(), "timely").violations
    assert "as 2430.020 s was the latest" in violation.explanation


def test_a_deadline_that_is_over_is_missed_also_in_a_run_cut_short() -> None:
    paper = one_message()
    assert judged(paper.end(60_000, completed=False), "timely").verdict is U
    paper = one_message()
    assert judged(paper.end(90_000, completed=False), "timely").verdict is V


@pytest.mark.parametrize(("done", "verdict"), [(2_000_000, H), (2_000_001, V)])
def test_under_faults_the_settle_limit_begins_with_healing(done: int, verdict: Verdict) -> None:
    paper = one_message()
    paper.event(5, "fault", kind="crash")
    paper.event(200_000, "healed")
    paper.hand_over("m1", 1_999_000, done)
    assert judged(paper.end(), "timely").verdict is verdict


def test_what_never_had_its_effect_is_late_because_it_is_lost() -> None:
    paper = one_message()
    assert [each.cause for each in judged(paper.end(), "timely").violations] == ["loss"]
    paper = one_message()
    paper.hand_over("m1", 8_010, 100_000)
    assert [each.cause for each in judged(paper.end(), "timely").violations] == [None]


def test_a_dead_lettered_message_is_not_late() -> None:
    paper = one_message(attempts=1)
    paper.hand_over("m1", 8_010, outcome="failed")
    paper.dead_letter(10_000, "m1")
    assert judged(paper.end(), "timely").verdict is not V


# status_true


def test_success_after_a_claim_whose_handover_failed_is_false() -> None:
    paper = one_message()
    paper.deliver(8_010, 9_002, 500)
    paper.hand_over("m1", 8_020, 9_000, function="f2", outcome="failed")
    paper.deliver(18_000, 18_010, at="f3")
    paper.status(18_020, "success")
    assert judged(paper.end(), "status_true").violations[0].messages == ("m1",)


def test_success_of_a_delivery_that_swallowed_its_error_is_false() -> None:
    paper = one_message()
    paper.deliver(8_010, 9_002)
    paper.hand_over("m1", 8_020, 9_000, function="f2", outcome="failed")
    paper.status(9_010, "success")
    assert judged(paper.end(), "status_true").verdict is V


def test_success_of_an_earlier_batch_is_true_while_the_next_one_fails() -> None:
    paper = one_message()
    paper.message("m2", 8_050)
    paper.hand_over("m1", 8_020, 9_000, key="k1", function="f1")
    paper.hand_over("m2", 9_005, 9_006, key="k2", function="f2", outcome="failed")
    paper.status(9_020, "success", function="f1")
    paper.hand_over("m2", 20_000, key="k2", function="f2")
    assert judged(paper.end(), "status_true").verdict is H


def test_success_of_the_next_batch_is_true_after_a_failure_was_owned_up_to() -> None:
    paper = one_message()
    paper.hand_over("m1", 8_020, 9_000, outcome="failed")
    paper.status(9_010, "failed")
    paper.message("m2", 9_100)
    paper.hand_over("m2", 18_000)
    paper.status(19_010, "success")
    assert judged(paper.end(), "status_true").verdict is H


def test_success_after_the_failed_batch_was_dead_lettered_is_true() -> None:
    paper = one_message(attempts=1)
    paper.hand_over("m1", 8_020, 9_000, function="f2", outcome="failed")
    paper.dead_letter(9_010, "m1")
    paper.status(9_020, "success", function="f3")
    assert judged(paper.end(), "status_true").verdict is H


def given_up_by_f1() -> Paper:
    paper = one_message(attempts=1)
    paper.hand_over("m1", 8_020, 9_000, outcome="failed")
    paper.dead_letter(9_010, "m1", function="f1")
    return paper


def test_success_by_who_has_just_given_the_message_up_is_false() -> None:
    paper = given_up_by_f1()
    paper.status(9_020, "success", function="f1")
    found = judged(paper.end(), "status_true").violations[0]
    assert found.explanation == (
        '"success" was reported at 9.020 s although f1 had dead-lettered m1 at 9.010 s and it has had no effect'
    )


def test_success_of_another_batch_is_true_after_a_message_was_given_up() -> None:
    paper = given_up_by_f1()
    paper.message("m2", 9_100)
    paper.hand_over("m2", 18_000, key="k2", function="f1")
    paper.status(19_010, "success", function="f1")
    assert judged(paper.end(), "status_true").verdict is H


def test_success_after_the_giving_up_was_owned_up_to_is_true() -> None:
    paper = given_up_by_f1()
    paper.status(9_020, "failed", function="f1")
    paper.status(9_030, "success", function="f1")
    assert judged(paper.end(), "status_true").verdict is H


def test_success_of_a_batch_that_another_function_confirmed_is_true_though_it_is_told_late() -> None:
    paper = one_message(attempts=1)
    paper.hand_over("m1", 8_020, 9_000, key="k1", function="f2")  # and f2 dies before it tells
    paper.message("m2", 9_100)
    paper.hand_over("m2", 18_000, 18_100, key="k2", function="f1", outcome="failed")
    paper.dead_letter(18_200, "m2", function="f1")
    paper.status(18_300, "success", function="f1")
    paper.status(18_310, "failed", function="f1")
    assert judged(paper.end(), "status_true").verdict is H


def test_failed_is_false_when_everything_was_confirmed() -> None:
    paper = one_message()
    paper.hand_over("m1", 8_020, 9_000)
    paper.status(9_010, "failed")
    assert judged(paper.end(), "status_true").verdict is V


@pytest.mark.parametrize("doubt", ["answer lost", "another message", "no hand-over"])
def test_failed_is_true_while_anything_is_in_doubt(doubt: str) -> None:
    paper = one_message()
    if doubt != "no hand-over":
        paper.hand_over("m1", 8_020, 9_000, outcome="answer_lost" if doubt == "answer lost" else "done")
    if doubt == "another message":
        paper.message("m2", 8_100)
    paper.status(9_010, "failed")
    assert judged(paper.end(), "status_true").verdict is H


def test_without_a_status_there_is_nothing_to_be_true() -> None:
    assert not judged(one_message().end(), "status_true").applicable


# no_leak


@pytest.mark.parametrize(
    ("shared", "keys", "verdict"),
    [
        ([], {}, H),
        ([], {"a": "string"}, V),
        (["a"], {"a": "string"}, H),
        (["a"], {"ab": "string"}, V),
        (["a*"], {"ab": "string"}, H),
        (["a*"], {"b": "string"}, V),
    ],
)
def test_only_shared_keys_may_stay(shared: list[str], keys: dict[str, str], verdict: Verdict) -> None:
    assert judged(one_message(shared_keys=shared).end(keys=keys), "no_leak").verdict is verdict


def test_what_is_left_of_a_lost_message_follows_from_the_loss() -> None:
    found = judged(one_message().end(keys={"list": "list"}), "no_leak").violations[0]
    assert (found.cause, found.messages) == ("loss", ("m1",))
    assert found.explanation == "1 key is left at the end, at 4000.000 s: list; m1 is lost"


def test_what_is_left_of_a_conversation_that_lost_nothing_is_a_leak_of_its_own() -> None:
    paper = Paper()
    paper.message("m1", conversation=("bot", "491511"))
    paper.message("m2", conversation=("bot", "492222"))
    paper.hand_over("m1", 8_020)
    for key, cause in (("lock:bot:491511", None), ("list:bot:492222", "loss")):
        assert judged(paper.end(keys={key: "string"}), "no_leak").violations[0].cause == cause


def test_a_leak_names_who_wrote_the_key_last() -> None:
    paper = one_message()
    paper.redis(100, "f1", "SET", "left", "1")
    history = paper.end(keys={"left": "string"})
    events = judged(history, "no_leak").violations[0].events
    assert [history[index]["event"] for index in events] == ["redis.executed", "end"]
