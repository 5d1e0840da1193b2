"""A timeline shows a short history whole, marks the steps in conflict, and folds what matters least in a long one."""

from typing import Any

import pytest

from reports.diagram.text import ROWS
from reports.diagram.words import summary_of
from reports.labels import Labels
from reports.timeline import timeline
from tests.unit.reports.histories import KEY, LATE_ADD, LOSS, MARK, READ, executed


def body(shown: str) -> list[str]:
    """The lines of events, without the head and the foot."""
    return [line for line in shown.splitlines()[1:] if line[2:3] == " " and "bufferproof replay" not in line]


def test_a_counterexample_is_read_in_a_minute() -> None:
    shown = timeline(LOSS, events=[READ, LATE_ADD, MARK], explanation="m2 was lost", exceptions=[], trace="x.json")
    assert len(shown.splitlines()) <= 20
    assert max(len(line) for line in shown.splitlines()) <= 120


def test_times_are_those_of_the_judges_sentences_seconds_since_the_run_began() -> None:
    lines = body(timeline(LOSS))
    assert lines[0].split()[0] == "1.010"
    assert any(line.split()[0] == "12.000" for line in lines)


def test_what_is_sent_again_under_another_label_is_told_to_be_the_same_message() -> None:
    sent = LOSS[1]
    again = {**sent, "t": sent["t"] + 500, "call": "w9", "label": "m9"}
    assert "m9, m1 again" in timeline([*LOSS[:2], again, *LOSS[2:]], events=[1, 2])


def test_an_error_of_the_design_itself_stands_in_full_and_one_of_the_world_does_not() -> None:
    error = "TypeError: unsupported operand type(s) for *: 'datetime.datetime' and 'int'"
    own = {"t": 1_020, "event": "tick.failed", "function": "f1", "error": error}
    world = {
        "t": 1_030,
        "event": "tick.failed",
        "function": "f1",
        "error": "ConnectionError: Connection closed by server.",
    }
    lines = timeline([*LOSS[:3], own, own, world, *LOSS[3:]]).splitlines()
    assert [line for line in lines if line.startswith("  ✗")] == [f"  ✗ tick: {error}"]


def test_the_steps_in_conflict_are_marked_and_no_others() -> None:
    marked = [line for line in body(timeline(LOSS, events=[READ, LATE_ADD, MARK])) if line[1] == "►"]
    assert [line[2:].split()[0] for line in marked] == ["9.020", "9.120", "12.010"]


def test_there_is_a_column_for_each_function_that_acts() -> None:
    head, *lines = timeline(LOSS).splitlines()
    assert [name for name in head.split() if name.startswith("f")] == ["f1", "f2"]
    delivery = next(line for line in lines if "delivery arrives" in line)
    assert delivery.index("delivery arrives") == head.index("f2")


def test_messages_are_called_by_their_labels() -> None:
    shown = timeline(LOSS)
    assert "EFFECT m1" in shown
    assert "{m1, m2, processed}" in shown
    assert "ID-A" not in shown


def test_a_command_says_what_it_read_and_what_it_wrote() -> None:
    lines = body(timeline(LOSS))
    assert any("GET msg_buffer" in line and "→ nil" in line for line in lines)
    assert any("SETEX msg_buffer" in line and "{m1}" in line for line in lines)


def test_timers_are_noise() -> None:
    assert "8.000" not in timeline(LOSS)


def test_the_last_lines_explain_and_replay() -> None:
    *_, explanation, replay = timeline(LOSS, explanation="m2 was lost", trace="traces/x.json").splitlines()
    assert explanation.strip() == "→ m2 was lost"
    assert replay.strip() == "replay: bufferproof replay traces/x.json"


def long_history(steps: int) -> list[dict[str, Any]]:
    """The loss with a function that polls in between."""
    polls = [executed(9_131 + step, "f3", "EXISTS", "msg_timer:bot:1", reply="1", reads=["x"]) for step in range(steps)]
    return [*LOSS[:15], *polls, *LOSS[15:]]


@pytest.mark.parametrize("steps", [30, 300])
def test_a_long_history_is_folded_and_says_how_much_was_left_out(steps: int) -> None:
    history = long_history(steps)
    events = [READ, LATE_ADD, MARK + steps]
    shown = timeline(history, events=events)
    lines = body(shown)
    assert len(lines) <= ROWS
    assert "left out" in shown.splitlines()[0]
    assert any(line[0] == "⋮" for line in lines)
    assert sum(line[1] == "►" for line in lines) == len(events), "what is in conflict is never folded"


def test_a_history_without_webhooks_is_shown_from_its_start() -> None:
    shown = timeline([executed(500, "f1", "GET", KEY, reply="nil", reads=[KEY])])
    assert "0.500" in shown


def test_an_empty_history_is_a_head_alone() -> None:
    assert len(timeline([]).splitlines()) == 1


def test_a_value_without_messages_is_cut() -> None:
    assert summary_of("x" * 99, Labels([])) == "x" * 39 + "…"


def test_the_line_that_replays_can_be_pasted_whatever_the_folder_is_called() -> None:
    assert timeline(LOSS, trace="my results/x.json").endswith("replay: bufferproof replay 'my results/x.json'")
