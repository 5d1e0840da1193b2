"""The named races: each is found in a history that has it, and not in its neighbour that has not."""

from collections.abc import Callable

import pytest

from engine.verification import RACES, Event, Verdict, find_races
from tests.unit.verification.paper import Paper, judged
from tests.unit.verification.plan_on_paper import (
    BUFFER,
    LOCK,
    document,
    first_message,
    processed,
    read,
    script_adds,
    script_claims,
    write,
)


def arrived_during_processing(*, has_it: bool) -> Paper:
    paper = Paper()
    first_message(paper)
    processed(paper)
    at = 8_500 if has_it else 9_500
    paper.message("m2", at, function="f3")
    write(paper, at + 15, "f3", "m1", "m2")
    return paper


def concurrent_adds(*, has_it: bool) -> Paper:
    paper = Paper()
    paper.message("m1", function="f1")
    paper.message("m2", function="f2")
    read(paper, 12, "f1")
    read(paper, 13 if has_it else 16, "f2")
    write(paper, 15, "f1", "m1")
    write(paper, 18, "f2", "m2")
    paper.hand_over("m2", 8_030)
    return paper


def failed_and_marked(*, has_it: bool) -> Paper:
    paper = Paper()
    first_message(paper)
    processed(paper, outcome="failed", marks=has_it)
    return paper


def blank_dropped(*, has_it: bool) -> Paper:
    paper = Paper()
    paper.message("m1", text=" \n" if has_it else "x")
    write(paper, 15, "f1", "m1")
    read(paper, 8_030, "f2")
    return paper


def expired_buffer(*, has_it: bool) -> Paper:
    paper = Paper()
    first_message(paper)
    paper.event(15_016, "key.expired", key=BUFFER if has_it else "msg_timer:bot:49151")
    return paper


def cleanup_race(*, has_it: bool) -> Paper:
    paper = Paper()
    read(paper, 5 if has_it else 17, "f3")
    first_message(paper)
    paper.redis(18, "f3", "DEL", BUFFER)
    return paper


def lost_with_its_function(*, has_it: bool) -> Paper:
    paper = Paper()
    first_message(paper)
    paper.event(1_000, "function.stopped", function="f1" if has_it else "f2", reason="retired")
    return paper


def delivery_given_up(*, has_it: bool) -> Paper:
    paper = Paper()
    first_message(paper)
    paper.deliver(8_015, 8_020, 503 if has_it else 200)
    return paper


def read_error_overwrote(*, has_it: bool) -> Paper:
    paper = Paper()
    first_message(paper)
    paper.message("m2", 1_000, function="f2")
    if has_it:
        paper.event(1_012, "note", function="f2", note="read error taken for no buffer")
    write(paper, 1_015, "f2", "m2")
    return paper


def unmarked_after_error(*, has_it: bool) -> Paper:
    paper = Paper()
    first_message(paper)
    processed(paper, marks=False)
    if has_it:
        paper.event(9_130, "redis.failed", command=99, function="f2", error="request_lost")
    paper.message("m2", 10_000, function="f3")
    write(paper, 10_015, "f3", "m1", "m2")
    return paper


def unscheduled_after_error(*, has_it: bool) -> Paper:
    paper = Paper()
    paper.message("m1", function="f1")
    command = write(paper, 15, "f1", "m1")
    paper.event(16, "redis.failed", command=command if has_it else 99, function="f1", error="reply_lost")
    paper.message("m2", 1_000, function="f2")
    write(paper, 1_015, "f2", "m1", "m2")
    return paper


def unmarked(*, has_it: bool, grace: bool) -> Paper:
    """f2 does not get the lock for its mark, because f3 holds it; m2 goes into the old buffer."""
    paper = Paper()
    first_message(paper)
    paper.message("m2", 9_000, function="f3")
    paper.redis(9_011, "f3", "SET", LOCK, "1", "NX", "PX", "2000")
    if not has_it:
        paper.redis(9_100, "f3", "DEL", LOCK)
    if grace:
        paper.event(9_012, "note", function="f3", note="grace wait")
    processed(paper, marks=False)
    paper.event(9_135, "note", function="f2", note="mark given up")
    write(paper, 9_015, "f3", "m1", "m2")
    return paper


def unmarked_behind_grace_wait(*, has_it: bool) -> Paper:
    return unmarked(has_it=has_it, grace=True)


def unmarked_behind_add(*, has_it: bool) -> Paper:
    return unmarked(has_it=has_it, grace=False)


def stale_release(*, has_it: bool) -> Paper:
    """f1 is slower than its lock; f2 has the next one when f1 deletes the key."""
    paper = Paper()
    paper.message("m1", function="f1")
    paper.redis(11, "f1", "SET", LOCK, "1", "NX", "PX", "2000")
    if has_it:
        paper.event(2_012, "key.expired", key=LOCK)
    else:
        paper.redis(2_000, "f1", "DEL", LOCK)
    paper.redis(2_100, "f2", "SET", LOCK, "1", "NX", "PX", "2000")
    paper.redis(2_200, "f1" if has_it else "f2", "DEL", LOCK)
    return paper


def lock_ran_out(*, has_it: bool) -> Paper:
    paper = Paper()
    paper.message("m1", function="f1")
    paper.redis(11, "f1", "SET", LOCK, "1", "NX", "PX", "2000")
    if has_it:
        paper.event(2_012, "key.expired", key=LOCK)
    write(paper, 3_000, "f1", "m1")
    return paper


def nobody_schedules(*, has_it: bool) -> Paper:
    paper = Paper()
    paper.message("m1", function="f1")
    paper.message("m2", function="f2")
    script_adds(paper, 12, "f1", "m1")
    script_adds(paper, 14, "f2", "m2")
    read(paper, 15, "f1")
    read(paper, 16, "f2")
    if not has_it:
        paper.deliver(8_015, 8_020)
    return paper


def lost_after_claim(*, has_it: bool) -> Paper:
    paper = Paper()
    paper.message("m1", function="f1")
    script_adds(paper, 12, "f1", "m1")
    if has_it:
        script_claims(paper, 8_030, "f2")
    paper.hand_over("m1", 8_035, 9_100, function="f2", outcome="failed")
    return paper


def added_and_fallen_back(*, has_it: bool) -> Paper:
    paper = Paper()
    paper.message("m1", function="f1")
    if has_it:
        script_adds(paper, 12, "f1", "m1")
    paper.hand_over("m1", 16, 18)  # before its call is answered
    paper.hand_over("m1", 8_030, function="f2")
    return paper


def read_twice(*, has_it: bool) -> Paper:
    paper = Paper()
    first_message(paper)
    processed(paper)
    read(paper, 8_100 if has_it else 9_135, "f3")
    paper.hand_over("m1", 9_200, function="f3")
    return paper


def repeat_not_recognised(*, has_it: bool) -> Paper:
    paper = Paper()
    paper.message("m1")
    if has_it:
        paper.message("m1", 100, attempt=2)
    paper.hand_over("m1 m1", 8_030)
    return paper


def done_but_not_known(*, has_it: bool) -> Paper:
    paper = Paper()
    paper.message("m1")
    paper.hand_over("m1", 8_030, outcome="answer_lost" if has_it else "done")
    paper.hand_over("m1", 20_000)
    return paper


def sorted_by_skewed_clocks(*, has_it: bool) -> Paper:
    paper = Paper()
    paper.event(0, "fault", kind="clock_skew" if has_it else "stall", actor="f2")
    paper.message("m1", function="f1")
    paper.message("m2", 100, function="f2")
    paper.hand_over("m2 m1", 8_030)
    return paper


def one_by_one_after_batch(*, has_it: bool) -> Paper:
    paper = Paper()
    paper.message("m1", 10_000, function="f1")
    script_adds(paper, 10_012, "f1", "m1", taken=not has_it)
    paper.hand_over("m1", 10_015, 10_018, function="f1")
    return paper


def shared_key(*, has_it: bool) -> Paper:
    paper = Paper()
    one, other = ("a:b", "c"), ("a", "b:c" if has_it else "b:d")
    paper.message("m1", conversation=one)
    paper.message("m2", 100, conversation=other)
    paper.redis(15, "f1", "SETEX", "msg_buffer:a:b:c", "60", document("m1"))
    paper.redis(115, "f1", "SETEX", "msg_buffer:" + ":".join(other), "60", document("m1", "m2"))
    paper.hand_over("m1 m2", 8_030, conversation=one)
    return paper


WRITTEN: dict[str, Callable[..., Paper]] = {
    each.__name__: each
    for each in (
        added_and_fallen_back,
        arrived_during_processing,
        blank_dropped,
        cleanup_race,
        concurrent_adds,
        delivery_given_up,
        done_but_not_known,
        expired_buffer,
        failed_and_marked,
        lock_ran_out,
        lost_after_claim,
        lost_with_its_function,
        nobody_schedules,
        one_by_one_after_batch,
        read_error_overwrote,
        read_twice,
        repeat_not_recognised,
        shared_key,
        sorted_by_skewed_clocks,
        stale_release,
        unmarked_after_error,
        unmarked_behind_add,
        unmarked_behind_grace_wait,
        unscheduled_after_error,
    )
}


def test_every_race_has_its_written_histories() -> None:
    assert set(WRITTEN) == {race.name for race in RACES}
    assert len({race.name for race in RACES}) == len(RACES)


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_a_race_is_found_where_it_is(name: str) -> None:
    history = WRITTEN[name](has_it=True).end()
    matches = [match for match in find_races(history) if match.race == name]
    assert matches
    for match in matches:
        assert 1 <= len(match.events) <= 4
        assert all(0 < index < len(history) for index in match.events)
        assert match.messages
        assert match.explanation


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_a_race_is_not_found_in_its_neighbour(name: str) -> None:
    assert name not in {match.race for match in find_races(WRITTEN[name](has_it=False).end())}


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_the_race_names_the_violation_that_it_explains(name: str) -> None:
    history = WRITTEN[name](has_it=True).end()
    race = next(race for race in RACES if race.name == name)
    causes = {v.cause for invariant in race.invariants for v in judged(history, invariant).violations}
    assert name in causes


def test_a_batch_in_order_is_not_sorted_by_clocks_that_are_apart() -> None:
    paper = Paper()
    paper.event(0, "fault", kind="clock_skew", actor="f2")
    paper.message("m1", function="f1")
    paper.message("m2", 100, function="f2")
    paper.hand_over("m1 m2", 8_030)
    assert "sorted_by_skewed_clocks" not in {match.race for match in find_races(paper.end())}


def test_the_sentence_of_the_central_race() -> None:
    judgement = judged(arrived_during_processing(has_it=True).end(), "no_loss")
    assert judgement.verdict is Verdict.VIOLATED
    assert judgement.violations[0].explanation == (
        "m2 was appended at 8.515 s, after the batch was read at 8.030 s and before it was marked at 9.130 s: never"
        " handed over"
    )


def test_a_false_success_after_a_claim_names_the_status_too() -> None:
    paper = lost_after_claim(has_it=True)
    paper.status(18_030, "success")
    history: list[Event] = paper.end()
    violation = judged(history, "status_true").violations[0]
    assert violation.cause == "lost_after_claim"
    assert violation.explanation.endswith('a retry finds nothing to do and reports "success" at 18.030 s')
    assert [history[index]["event"] for index in violation.events] == ["redis.executed", "handover.failed", "status"]


def test_a_claim_whose_reply_was_lost_loses_its_batch() -> None:
    paper = Paper()
    paper.message("m1", function="f1")
    script_adds(paper, 12, "f1", "m1")
    command = script_claims(paper, 8_030, "f2")
    paper.event(8_040, "redis.failed", command=command, function="f2", error="reply_lost")
    assert judged(paper.end(), "no_loss").violations[0].cause == "lost_after_claim"


def test_names_with_lone_surrogates_have_the_keys_that_histories_show() -> None:
    paper = Paper()
    names = ("bot", "\ud83d")
    paper.message("m1", conversation=names)
    paper.redis(15, "f1", "SETEX", "msg_buffer:bot:\\xed\\xa0\\xbd", "60", document("m1"))
    paper.event(15_016, "key.expired", key="msg_buffer:bot:\\xed\\xa0\\xbd")
    assert judged(paper.end(), "no_loss").violations[0].cause == "expired_buffer"


def test_a_run_without_violations_has_no_race() -> None:
    paper = Paper()
    first_message(paper)
    processed(paper)
    assert find_races(paper.end()) == []


def test_what_was_done_again_was_so_without_a_key_or_under_another_one() -> None:
    for keys, said in (((None, None), "without a key"), (("a", "b"), "under another key")):
        paper = Paper()
        paper.message("m1")
        paper.hand_over("m1", 8_030, outcome="answer_lost", key=keys[0])
        paper.hand_over("m1", 20_000, key=keys[1])
        (found,) = [match for match in find_races(paper.end()) if match.race == "done_but_not_known"]
        assert f"{said} it was done again" in found.explanation


def test_of_several_repeats_the_one_before_the_second_batch_is_named() -> None:
    paper = Paper()
    paper.message("m1")
    paper.message("m1", 100, attempt=2)
    paper.hand_over("m1", 8_030)
    paper.message("m1", 20_000, attempt=3)
    paper.hand_over("m1", 28_030, function="f2")
    paper.message("m1", 40_000, attempt=4)
    (found,) = [match for match in find_races(paper.end()) if match.race == "repeat_not_recognised"]
    assert found.explanation == "the provider sent m1 again at 20.000 s, and it was taken for a new message"
