"""What became of a message in Redis explains the losses and doublings of designs that nobody has named a race for."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest

from engine.buffer import Strategy
from engine.simulation.case import Case, Sending
from engine.verification import Violation, judge
from engine.verification.facts import Facts
from scenarios.failures import sentence_kind
from scenarios.key_states import signs_of
from scenarios.running import violations_of
from scenarios.selection import find_strategy
from scenarios.told import tell_in_order
from scenarios.whereabouts import Stay, _never_there, explained, stays
from tests.unit.scenarios.storing import (
    CannotBeRead,
    DropsAnother,
    Forgets,
    ForgetsOneOfTwo,
    KnowsIds,
    LetsItEnd,
    Pickles,
    PutsBack,
    Thinks,
    ThinksOnce,
)
from tests.unit.verification.paper import Paper


def explanation(
    where: str,
    times_ms: tuple[int, ...],
    invariant: str,
    numbers: Mapping[str, int] = MappingProxyType({}),
    **changed: Any,
) -> tuple[Violation, list[str]]:
    """The violation of a broken design in a run in order, and in words which events conflict."""
    messages = [(at_ms, f"text {number}") for number, at_ms in enumerate(times_ms, 1)]
    return explain(find_strategy(f"tests/strategies/broken/{where}"), messages, invariant, numbers, **changed)


def explain(
    strategy: type[Strategy],
    messages: Sequence[tuple[int, str]],
    invariant: str,
    numbers: Mapping[str, int] = MappingProxyType({}),
    **changed: Any,
) -> tuple[Violation, list[str]]:
    """The same for a class, and messages with their times and texts."""
    sendings = tuple(
        Sending(at_ms=at_ms, message_id=f"id-{number}", text=text, label=f"m{number}")
        for number, (at_ms, text) in enumerate(messages, 1)
    )
    plain: dict[str, Any] = {"functions": 1, "hop_ms": (0, 0), "processor_ms": (1_000, 1_000)}
    case = Case(sendings=sendings, **{**plain, **changed})
    told = tell_in_order(case, strategy, numbers, {}, stepped=True, with_keys=True)
    found = next(v for v in violations_of(judge(told.run.history)) if v.invariant == invariant)
    violation = explained(found, told)
    events = [told.run.history[index] for index in violation.events]
    return violation, [event["args"][0] if "args" in event else event["event"] for event in events]


def test_a_message_that_was_deleted_unread_is_said_to_be_so() -> None:
    violation, events = explanation("naive.py:OneDocument", (0, 8_500), "no_loss")
    assert violation.explanation.endswith(
        'it stood in list:["bot", "4915110000001"] from 8.500 s until f1\'s DEL at 9.000 s;'
        " f1 had read that key at 8.000 s, before it was there"
    )
    assert events == ["GET", "SET", "DEL"]


def test_a_read_of_another_key_is_not_taken_for_one_of_this() -> None:
    said = last_words(DropsAnother, (0, "text one"), (8_500, "text two"))
    assert said == ": it stood in list-id-2 from 8.500 s until f1's DEL at 9.000 s"


def test_a_message_that_was_never_stored_is_said_to_be_so() -> None:
    violation, events = explanation("naive.py:DropsWithoutTheLock", (0, 0), "no_loss")
    assert violation.explanation.endswith("never handed over: it never stood in Redis")
    assert events == ["webhook.answered", "end"]


def test_a_message_that_left_only_its_marker_is_said_to_have() -> None:
    crash = {"faults": ("crash",), "fault_budget": 1, "heal_ms": 10_000, "provider_retries": 1}
    marker = 'seen:["bot", "4915110000001"]:\'id-1\''
    violation, events = explanation(
        "dedupe.py:MarksFirst", (0, 3_000), "no_loss", {f"fault f1 SET {marker} reply#1": 1}, **crash
    )
    assert violation.explanation.endswith(f": it never stood in Redis; its id did, in {marker} from 0.000 s on")
    assert events == ["SET", "webhook.answered"]


@pytest.mark.parametrize(("other", "said"), [("id-2", True), ("id-1", False)])
def test_a_marker_is_a_message_s_own_only_if_no_other_has_its_id(other: str, said: bool) -> None:
    paper = Paper()
    paper.message("m1", id="id-1")
    paper.message("m2", 100, id=other, conversation=("bot", "2"))
    facts = Facts(paper.end())
    message = next(m for m in facts.messages.values() if m.label == "m1")
    words, events = _never_there(facts, message, [{"event": 3, "key": "seen:1:id-1", "value": "1", "messages": []}])
    assert (words.endswith("its id did, in seen:1:id-1 from 0.020 s on"), bool(events)) == (said, said)


def test_a_message_that_stands_there_because_a_script_is_refused_is_said_to_be_so() -> None:
    violation, events = explain(CannotBeRead, [(0, "text one")], "no_loss")
    words, _, error = violation.explanation.partition(" errors): ResponseError: ")
    assert "stands there still; f1's tick raised at 1.000 s (the first of " in words
    assert "expected near" in error
    assert events == ["RPUSH", "tick.failed"]


def test_a_message_for_which_nobody_comes_is_said_to_stand_there_still() -> None:
    violation, events = explanation(
        "naive.py:ListAndTimer", (0,), "no_loss", processor_failures=("error_500",), heal_ms=10_000
    )
    assert violation.explanation.endswith("from 0.000 s, and stands there still")
    assert events == ["RPUSH", "handover.sent", "handover.failed"]


def test_who_took_the_last_entry_for_its_conversation_is_named() -> None:
    violation, events = explain(Forgets, [(500, "text one")], "no_loss")
    assert violation.explanation.endswith(
        "from 0.500 s, and stands there still;"
        " f1's SREM at 1.000 s took its conversation out of open, the last key besides its own that named it"
    )
    assert events == ["RPUSH", "SREM"]


def test_nobody_is_named_where_another_entry_names_the_conversation() -> None:
    assert last_words(ForgetsOneOfTwo, (500, "text one")).endswith(" from 0.500 s, and stands there still")


def test_two_reads_for_two_handovers_are_named_whichever_was_for_which() -> None:
    violation, events = explanation("naive.py:EveryoneDelivers", (0, 0), "no_duplicate")
    assert ": it was given out by f1's LRANGE at 8.000 s and by f1's LRANGE at 8.000 s" in violation.explanation
    assert events == ["LRANGE", "LRANGE", "handover.effect", "handover.effect"]


def test_both_commands_that_gave_a_message_out_are_named() -> None:
    violation, events = explanation(
        "naive.py:EveryoneDelivers", (0, 0), "no_duplicate", {"route provider m2#1": 1}, functions=2
    )
    assert ": it was given out by f1's LRANGE at 8.000 s and by f2's LRANGE at 8.000 s" in violation.explanation
    assert events == ["LRANGE", "LRANGE", "handover.effect", "handover.effect"]


def test_a_violation_that_a_named_race_explains_keeps_its_sentence() -> None:
    violation = Violation("no_loss", "so it was", (1, 2), ("m1",), "nobody_schedules")
    assert explained(violation, None) is violation  # type: ignore[arg-type]


def change(event: int, key: str, *labels: str) -> dict[str, Any]:
    return {"event": event, "key": key, "messages": list(labels)}


def test_a_move_within_one_command_is_one_stay_and_one_over_two_commands_is_two() -> None:
    moved = [change(1, "pending", "m1"), change(2, "pending"), change(2, "flight", "m1"), change(5, "flight")]
    assert stays(moved, "m1") == [Stay(1, ("pending", "flight"), 5, (2,))]
    popped = [change(1, "a", "m1"), change(2, "a"), change(3, "b", "m1")]
    assert stays(popped, "m1") == [Stay(1, ("a",), 2), Stay(3, ("b",))]
    assert stays(moved, "m2") == []


def last_words(strategy: type[Strategy], *messages: tuple[int, str], invariant: str = "no_loss") -> str:
    """What the explanation adds to the judge's sentence, for messages at these times with these texts."""
    violation = explain(strategy, messages, invariant)[0]
    return violation.explanation.split("never handed over")[-1]


def test_a_count_is_no_read() -> None:
    said = last_words(ThinksOnce, (0, "text one"), (8_500, "text two"), (9_000, "text three"))
    assert (
        said
        == ": it stood in list from 8.500 s until f1's DEL at 10.500 s; f1 had read that key at 8.000 s, before it was there"
    )


def test_which_of_several_equal_reads_it_was_is_not_said() -> None:
    said = last_words(Thinks, (0, "text one"), (0, "text two"), (1_000, "text three"), invariant="no_duplicate")
    assert said.endswith(": it stood in list from 0.000 s until f1's DEL at 10.500 s")


def test_a_message_that_was_put_back_is_said_to_have_been() -> None:
    violation, events = explain(PutsBack, [(0, "text one")], "no_duplicate")
    assert "it was given out by f1's LPOP at 8.000 s and by f1's LPOP at 9.000 s" in violation.explanation
    assert violation.explanation.endswith("f1's RPUSH at 9.000 s had put it back")
    assert events == ["LPOP", "RPUSH", "LPOP", "handover.effect"]


def test_a_message_whose_time_ended_is_said_to_have_stood_until_then() -> None:
    assert (
        last_words(LetsItEnd, (0, "text one")) == ": it stood in list from 0.000 s, and stood there until its TTL ended"
    )


def test_a_set_of_ids_is_not_where_a_message_stands() -> None:
    same = ((0, "the same text"), (4_000, "the same text"))
    assert last_words(KnowsIds, *same) == ""
    said = last_words(KnowsIds, (0, "text one"), (8_500, "text two"))
    assert ": it stood in last, then in list from 8.500 s" in said


def test_a_text_within_another_or_within_a_name_is_no_sign() -> None:
    assert last_words(ThinksOnce, (0, "hello there you"), (8_500, "hello there")) == ""
    assert last_words(ThinksOnce, (0, "hello there"), (8_500, "4915110000001 bot")).startswith(": it stood in list")


def test_a_packing_with_a_length_before_the_text_is_seen_through() -> None:
    assert ": it stood in list" in last_words(Pickles, (0, "text one"), (8_500, 67 * "a"))


@pytest.mark.parametrize(
    ("texts", "signs"),
    [
        (["text 1", "text 2"], {"m1", "m2"}),
        (["text 1", "text 10"], {"m1", "m2"}),
        (["same text", "same text"], set()),
        (["thanks", "no thanks"], {"m2"}),
        (["Jacke?", "ist die Jacke noch da?", "M"], {"m1", "m2"}),
        (['a "quoted" one', "über alles", "12345", "no"], set()),
        (["shop bot one", "other text"], {"m2"}),
    ],
)
def test_a_message_is_recognised_by_what_every_encoding_leaves_as_it_is(texts: list[str], signs: set[str]) -> None:
    found = signs_of([(f"m{number}", text) for number, text in enumerate(texts, 1)], ["id-1", "shop bot one"])
    assert set(found) == signs


def test_sentences_that_differ_in_messages_times_and_keys_are_of_one_kind() -> None:
    one = 'm1 was accepted at 0.000 s and never handed over: it stood in list:["bot"] from 0.000 s until f1\'s DEL at 9.000 s'
    same = 'm3 was accepted at 7.004 s and never handed over: it stood in list:["b"] from 8.000 s until f2\'s DEL at 9.001 s'
    other = "m1 was accepted at 0.000 s and never handed over: it never stood in Redis"
    assert sentence_kind(one) == sentence_kind(same)
    assert sentence_kind(one) != sentence_kind(other)


def test_one_text_is_not_taken_for_another_that_begins_with_it() -> None:
    found = signs_of([("m1", "text 1"), ("m10", "text 10")])
    assert not found["m1"].search('["text 10"]')


def test_a_text_that_an_encoding_changes_is_not_said_never_to_have_stood_there() -> None:
    strategy = find_strategy("tests/strategies/broken/naive.py:OneDocument")
    violation, _ = explain(strategy, [(0, "text 1"), (8_500, "👋🏽")], "no_loss")
    assert "m2 was accepted" in violation.explanation
    assert "never stood" not in violation.explanation
