"""What looks like a named race and is none: a cause that is said is one."""

from engine.verification import find_races
from tests.unit.verification.paper import Paper
from tests.unit.verification.plan_on_paper import first_message, processed, read, script_adds, script_claims, write


def races_of(paper: Paper) -> set[str]:
    return {match.race for match in find_races(paper.end())}


def test_a_claim_that_did_not_take_a_message_did_not_lose_it() -> None:
    paper = Paper()
    paper.message("m1", function="f1")
    paper.message("m2", 100, function="f2")
    script_adds(paper, 12, "f1", "m1")
    write(paper, 115, "f2", "m2")  # by another design, over what stood there
    script_claims(paper, 8_030, "f1")
    paper.hand_over("m2", 8_035, 9_100, function="f1")
    paper.event(20_000, "function.stopped", function="f1", reason="rollout")
    assert "lost_after_claim" not in races_of(paper)


def test_a_write_over_a_message_that_a_script_added_is_a_lost_update() -> None:
    paper = Paper()
    paper.message("m1", function="f1")
    paper.message("m2", function="f2")
    read(paper, 12, "f2")
    script_adds(paper, 13, "f1", "m1")
    write(paper, 15, "f2", "m2")
    paper.hand_over("m2", 8_030)
    assert "concurrent_adds" in races_of(paper)


def fallen_back(paper: Paper, outcome: str = "done") -> None:
    """f1 hands m1 over by itself, in the call that brought it, and not for a delivery."""
    paper.message("m1", function="f1")
    paper.hand_over("m1", 11, 19, function="f1", outcome=outcome)


def test_an_add_after_a_failed_fallback_is_no_mark() -> None:
    paper = Paper()
    fallen_back(paper, outcome="failed")
    paper.message("m1", 100, function="f1", attempt=2)
    script_adds(paper, 115, "f1", "m1")
    assert "failed_and_marked" not in races_of(paper)


def test_an_add_of_the_function_that_delivers_is_no_mark() -> None:
    paper = Paper()
    first_message(paper)
    processed(paper, outcome="failed", marks=False)
    paper.message("m2", 9_105, function="f2")
    write(paper, 9_120, "f2", "m1", "m2")
    assert "failed_and_marked" not in races_of(paper)


def test_an_error_after_a_fallback_is_no_failed_mark() -> None:
    paper = Paper()
    fallen_back(paper)
    paper.message("m2", 100, function="f2")
    write(paper, 115, "f2", "m2")
    paper.deliver(8_015, 8_040, by="f2", at="f1", status=500)
    paper.event(8_030, "redis.failed", command=99, function="f1", error="unreachable")
    assert "unmarked_after_error" not in races_of(paper)


def test_what_fails_last_was_not_done_again() -> None:
    paper = Paper()
    paper.message("m1")
    paper.hand_over("m1", 8_030)
    paper.hand_over("m1", 20_000, outcome="answer_lost")
    assert "done_but_not_known" not in races_of(paper)


def test_what_was_begun_before_an_error_was_not_done_again_because_of_it() -> None:
    paper = Paper()
    paper.message("m1")
    paper.hand_over("m1", 8_030, 30_000, outcome="answer_lost")
    paper.hand_over("m1", 12_000, 34_000, function="f2")
    assert "done_but_not_known" not in races_of(paper)


def test_a_message_that_somebody_came_for_was_not_lost_with_a_function() -> None:
    paper = Paper()
    first_message(paper)
    paper.event(1_000, "function.stopped", function="f1", reason="retired")
    paper.hand_over("m1", 38_000, outcome="failed", function="f3")
    assert "lost_with_its_function" not in races_of(paper)


def test_a_message_in_another_design_s_keys_was_not_lost_with_the_plan_s_timer() -> None:
    paper = Paper()
    paper.message("m1", function="f1")
    paper.redis(15, "f1", "RPUSH", "shop:49151", "m1")
    paper.event(1_000, "function.stopped", function="f1", reason="crash")
    assert "lost_with_its_function" not in races_of(paper)
