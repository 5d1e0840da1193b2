"""The one model of a sequence diagram, and that both renderers show it: lanes, arrows, marks, and hostile names as text."""

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from reports.diagram import diagram_of, in_order_except, svg, text
from reports.diagram.model import PROCESSOR, REDIS, USERS
from reports.diagram.svg import STYLE
from reports.diagram.words import SAID, command_words
from reports.labels import Labels
from scenarios.steps import Steps
from tests.unit.reports.histories import KEY, LATE_ADD, LOSS, MARK, READ, executed

HOSTILE = "</text><script>alert('\"&')</script>\n\x00🤖\ud800"
NAMESPACE = "{http://www.w3.org/2000/svg}"


def sent(command: int, t: int, function: str, *args: str) -> dict[str, Any]:
    return {"t": t, "event": "redis.sent", "command": command, "function": function, "args": list(args)}


def replied(command: int, t: int, function: str) -> dict[str, Any]:
    return {"t": t, "event": "redis.replied", "command": command, "function": function}


CROSSING = [
    {"t": 0, "event": "start"},
    sent(1, 10, "f1", "GET", KEY),
    {**executed(20, "f1", "GET", KEY, reply="nil", reads=[KEY]), "command": 1},
    sent(2, 30, "f2", "GET", KEY),
    {**executed(40, "f2", "GET", KEY, reply="nil", reads=[KEY]), "command": 2},
    replied(2, 50, "f2"),
    replied(1, 60, "f1"),
]


def test_the_lanes_are_users_each_function_redis_and_the_processor() -> None:
    assert diagram_of(LOSS).lanes == (USERS, "f1", "f2", REDIS, PROCESSOR)


def test_a_command_is_an_arrow_to_redis_and_one_back_over_what_came_between() -> None:
    arrows = diagram_of(CROSSING).arrows
    assert [(a.start, a.end, a.source, a.target, a.reply) for a in arrows if a.row == 2] == [
        (1, 2, "f1", REDIS, False),
        (2, 6, REDIS, "f1", True),
    ]


def test_a_request_that_was_lost_never_gets_to_redis() -> None:
    history = [
        CROSSING[0],
        CROSSING[1],
        {"t": 70, "event": "redis.failed", "command": 1, "function": "f1", "error": "request_lost"},
    ]
    (arrow,) = diagram_of(history).arrows
    assert (arrow.source, arrow.target, arrow.lost) == ("f1", REDIS, True)
    assert "request lost" in text(diagram_of(history))


def test_the_conflicting_steps_are_numbered_in_their_order() -> None:
    marks = {row.at: row.mark for row in diagram_of(LOSS, events=[MARK, READ, LATE_ADD]).rows if row.mark}
    assert marks == {READ: 1, LATE_ADD: 2, MARK: 3}


def test_a_conflicting_step_that_is_no_row_otherwise_is_one() -> None:
    rows = diagram_of(LOSS, events=[1]).rows
    assert (rows[0].at, rows[0].lane, rows[0].words, rows[0].mark) == (1, USERS, "m1 is sent", 1)


def test_a_script_shows_its_messages_and_every_key_that_it_wrote() -> None:
    wrote = {
        "args": ["EVAL", "add", "2", "seq:a", "list:a", '["id-1"]'],
        "reply": "1",
        "reads": [],
        "writes": ["seq:a", "list:a"],
    }
    sent = {"event": "webhook.sent", "call": "w1", "conversation": ["bot", "a"], "id": "id-1", "label": "m1"}
    labels = Labels([sent, {"event": "redis.executed", **wrote}])
    assert command_words(wrote, labels)[:2] == ("EVAL add", "← {m1} in seq, list")


#: Two conversations, each with a message of the same id.
ONE, OTHER = ["bot", "4911"], ["shop", "4922"]
SAME_ID = [
    {
        "t": 0,
        "event": "webhook.sent",
        "call": f"w{n}",
        "conversation": who,
        "id": "id-1",
        "text": text,
        "label": f"m{n}",
    }
    for n, who, text in ((1, ONE, "text 1"), (2, OTHER, "text 2"))
]


def in_words(event: dict[str, Any]) -> str:
    return SAID[event["event"]](event, Labels([*SAME_ID, event]))


def test_messages_of_two_conversations_with_the_same_id_have_their_own_labels() -> None:
    batch = [{"id": "id-1", "text": "text 2", "data": None}]
    for who, label in ((ONE, "m1"), (OTHER, "m2")):
        about: dict[str, Any] = {"conversation": who, "messages": batch, "call": "h1"}
        assert in_words({"event": "handover.effect", **about}) == f"EFFECT {label}"
        assert in_words({"event": "dead_letter", **about}) == f"dead letter: {label}"
        assert in_words({"event": "waiting", "conversation": who, "id": "id-1"}) == f"{label} unanswered"
        history = [*SAME_ID, {"t": 1, "event": "handover.sent", "function": "f1", **about}]
        assert Steps(history).batch_of("h1") == label
    foreign = {"event": "handover.effect", "conversation": ["bot", "4933"]}
    assert in_words({**foreign, "messages": batch}) == "EFFECT m2", "its text says which"
    assert in_words({**foreign, "messages": [{"id": "id-1", "text": "?"}]}) == "EFFECT m1 or m2"


@pytest.mark.parametrize(
    ("args", "reply", "shown"),
    [
        (["GET", "buffer"], '["id-1", "text 1"]', "→ {m1}"),
        (["GET", "buffer"], '[["id-1", "text 1"], ["id-1", "text 2"]]', "→ {m1, m2}"),
        (["GET", "buffer:shop:4922"], '["id-1"]', "→ {m2}"),
        (["GET", "buffer:shopping:4922"], '["id-1"]', "→ {m1 or m2}"),
        (["GET", "buffer"], '["id-1", "text 10"]', "→ {m1 or m2}"),
        (["GET", "buffer"], '["id-1", "the same as text 1, text 2"]', "→ {m1 or m2}"),
    ],
)
def test_which_message_of_an_id_a_command_is_about_is_said_as_far_as_it_is_known(
    args: list[str], reply: str, shown: str
) -> None:
    read = {"event": "redis.executed", "args": args, "reply": reply, "reads": args[1:], "writes": []}
    assert command_words(read, Labels([*SAME_ID, read]))[1] == shown


def test_folding_keeps_the_marked_rows_and_counts_the_others() -> None:
    whole = diagram_of(LOSS, events=[READ, LATE_ADD, MARK])
    small = whole.folded(5)
    assert len(small.rows) == 5
    assert {READ, LATE_ADD, MARK} <= {row.at for row in small.rows}
    assert small.skipped == len(whole.rows) - 5
    assert sum(row.skipped for row in small.rows) <= small.skipped
    assert {arrow.row for arrow in small.arrows} <= {row.at for row in small.rows}


def test_a_run_without_deviations_is_in_order_everywhere() -> None:
    assert (
        in_order_except([])
        == "in order everywhere: no delay, no fault but those of the scenario, each step in its turn"
    )
    assert in_order_except(["a before b", "c"]) == "in order everywhere, except: a before b; c"


GOLDEN = """\
      time  f1                f2                redis                           processor
     1.010  m1 arrives
     1.020  PING                                → PONG
     1.030  GET msg_buffer                      → nil
     1.040  SETEX msg_buffer                    ← {m1} for 15 s
     1.050  m1 answered 200
     9.010                    delivery arrives
 ►   9.020                    GET msg_buffer    → {m1}
     9.030                    hands over m1
     9.110  m2 arrives
 ►   9.120  SETEX msg_buffer                    ← {m1, m2} for 15 s
     9.130  m2 answered 200
    12.000                                                                      EFFECT m1
 ►  12.010                    SETEX msg_buffer  ← {m1, m2, processed} for 30 s
    60.000                                                                      m2 unanswered
  → m2 was appended at 9.120 s, after the batch was read at 9.020 s and before it was marked at 12.010 s: never handed
    over
  = in order everywhere, except: the processor's work on m1 takes 2.970 s
  replay: bufferproof replay traces/x.json"""


def test_the_picture_of_a_loss_in_text() -> None:
    diagram = diagram_of(
        LOSS,
        events=[READ, LATE_ADD, MARK],
        explanation="m2 was appended at 9.120 s, after the batch was read at 9.020 s and before it was marked at 12.010 s:"
        " never handed over",
        exceptions=["the processor's work on m1 takes 2.970 s"],
        replay="traces/x.json",
    )
    assert text(diagram) == GOLDEN


def drawn(history: list[dict[str, Any]], **more: Any) -> ET.Element:
    return ET.fromstring(svg(diagram_of(history, **more), title=more.get("explanation", "")))


def words_of(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{NAMESPACE}text")]


def test_the_svg_is_well_formed_and_has_each_lane_and_each_mark() -> None:
    root = drawn(LOSS, events=[READ, LATE_ADD, MARK], explanation="m2 was lost")
    words = words_of(root)
    assert {"users", "f1", "f2", "Redis", "processor", "1", "2", "3", "EFFECT m1"} <= set(words)
    assert "→ m2 was lost" in words


def test_each_colour_of_the_svg_is_there_without_variables_too() -> None:
    rules = STYLE[STYLE.index(".sd .paper") :]
    uses = re.findall(r"([\w-]+): (#\w+); ([\w-]+): var", rules)
    assert len(uses) == rules.count("var(") > 10
    assert all(plain == themed for plain, _, themed in uses)
    assert ".sd .paper { fill: #fefefe; fill: var(--paper); }" in rules, (
        "the light one, as nothing is known of the viewer"
    )


def test_no_word_of_the_svg_stands_outside_of_it() -> None:
    root = drawn(LOSS, events=[READ])
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for element in root.iter(f"{NAMESPACE}text"):
        letters = len(element.text or "") * 7.3 if element.get("class") not in ("title", "badge") else 0
        end = float(element.attrib["x"]) + (0 if "time" in element.get("class", "") else letters)
        assert end <= width + 8, element.text
        assert float(element.attrib["y"]) <= height


def test_every_arrow_goes_down_and_none_up() -> None:
    for element in drawn(CROSSING).iter(f"{NAMESPACE}path"):
        if element.get("class", "").startswith("arrow"):
            start, end = element.attrib["d"].removeprefix("M").split(" L")
            assert float(start.split()[1]) < float(end.split()[1])


@pytest.mark.parametrize("picture", [text, svg])
def test_hostile_names_are_shown_as_text(picture: Any) -> None:
    history = [
        {**LOSS[1], "label": HOSTILE},
        LOSS[2],
        executed(1_040, "f1", "SETEX", f"{HOSTILE}:x", "15", HOSTILE, reply=HOSTILE, writes=[f"{HOSTILE}:x"]),
    ]
    shown = picture(diagram_of(history, explanation=HOSTILE, exceptions=[HOSTILE]))
    shown.encode("utf-8", "strict")
    assert "\x00" not in shown
    if picture is svg:
        assert "<script>" not in shown
        ET.fromstring(shown)
