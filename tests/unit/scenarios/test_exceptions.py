"""Deviations in words: each choice that was not the default is one clause, with the message, the command and the time."""

from typing import Any

import pytest

from scenarios.exceptions import MOST, count_of, exceptions
from scenarios.running import Run
from scenarios.steps import Steps
from scenarios.told import Drawn, Told, deviations_in, is_duration, kind_of

KEY = "msg_buffer:bot:49"
WHO = ["bot", "49"]


def event(t: int, name: str, /, **fields: Any) -> dict[str, Any]:
    return {"t": t, "event": name, **fields}


def command(number: int, t: int, function: str, *args: str) -> list[dict[str, Any]]:
    fields = {"command": number, "function": function}
    return [
        event(t, "redis.sent", args=list(args[:2]), **fields),
        event(t + 1, "redis.executed", args=list(args), reply="nil", reads=[KEY], writes=[], **fields),
        event(t + 2, "redis.replied", **fields),
    ]


#: Hops, whether the run is stepped (there a hop may take no time), and what is said.
SLOW = [
    ([600, 600], False, ["every hop takes 0.600 s"]),
    ([600, 600], True, []),
    ([1, 600], False, []),
    ([1, 1], False, []),
]

HISTORY = [
    event(0, "start"),
    event(0, "webhook.sent", call="w1", id="id-1", label="m1", conversation=WHO, text="", data=None),
    event(1, "webhook.arrived", call="w1", function="f1"),
    *command(1, 2, "f1", "GET", KEY),
    *command(2, 5, "f1", "GET", KEY),
    event(8, "webhook.answered", call="w1", function="f1", status=200),
    event(9, "webhook.confirmed", call="w1", status=200),
    event(9, "webhook.sent", call="w2", id="id-2", label="m2", conversation=WHO, text="", data=None),
    event(500, "webhook.arrived", call="w2", function="f2"),
    event(
        8_000, "handover.sent", call="f2-h1", function="f2", conversation=WHO, messages=[{"id": "id-1"}, {"id": "id-2"}]
    ),
    event(8_001, "handover.arrived", call="f2-h1", messages=[]),
    event(9_500, "handover.ended", call="f2-h1", outcome="done"),
    event(9_501, "handover.confirmed", call="f2-h1", function="f2"),
]


def told(
    history: list[dict[str, Any]] | None = None,
    *drawn: tuple[str, int, int],
    delays: dict[str, str] | None = None,
    steps: dict[str, int] | None = None,
) -> Told:
    """What was heard: draws as (key, value, how many events there were); each deviates from 0."""
    run = Run(history or HISTORY, {}, True, 0)
    numbers = {key: value for key, value, _ in drawn if value}
    return Told(run, numbers, delays or {}, [Drawn(k, v, 0, at) for k, v, at in drawn], steps or {})


@pytest.mark.parametrize(
    ("key", "value", "at", "clause"),
    [
        ("f1 GET msg_buffer:bot:49 request#1", 600, 4, "m1's first GET of msg_buffer takes 0.600 s"),
        ("f1 GET msg_buffer:bot:49 reply#2", 1_500, 8, "the reply to m1's second GET of msg_buffer takes 1.500 s"),
        ("provider m2 request#1", 491, 12, "m2's request takes 0.491 s"),
        ("processor f2-h1#1", 3_000, 15, "the processor's work on m1 and m2 takes 3.000 s"),
        ("f2 handover request#1", 200, 14, "the hand-over of m1 and m2 takes 0.200 s"),
        ("route provider m2#1", 1, 12, "m2 goes to f2"),
        ("hold provider m2 request#1", 1, 12, "m2's request is held until 0.500 s"),
        ("hold processor f2-h1#1", 1, 15, "the processor's work on m1 and m2 is held until 9.500 s"),
        ("provider retries m1#1", 4_000, 12, "the provider waits 4.000 s before it sends m1 again"),
    ],
)
def test_a_number_that_deviates_is_a_clause(key: str, value: int, at: int, clause: str) -> None:
    assert exceptions(told(None, (key, value, at))) == (clause,)


def test_of_a_run_that_was_not_made_small_the_deviations_are_counted() -> None:
    many = [(f"provider m2 request#{number}", number, 12) for number in range(1, 1_042)]
    clauses = exceptions(told(None, *many))
    assert clauses == ("1,041 deviations (it has not been made small)",)
    few = exceptions(told(None, *many[:MOST]))
    assert few[0] == "m2's request takes 0.001 s"
    assert [count_of(each) for each in (clauses, few, ())] == [1_041, MOST, 0]


def test_a_delay_says_what_happened_before_what() -> None:
    heard = told(
        delays={"provider m1 reply#1": "provider m2 request#1"},
        steps={"provider m1 reply#1": 10, "provider m2 request#1": 12},
    )
    assert exceptions(heard) == ("m2's request arrives before m1's reply arrives",)


def test_a_command_that_no_one_message_is_behind_is_its_function_s() -> None:
    heard = told([*HISTORY, *command(3, 9_600, "f2", "DEL", KEY)], ("f2 DEL msg_buffer:bot:49 request#1", 50, 18))
    (clause,) = exceptions(heard)
    assert clause == "m2's DEL of msg_buffer takes 0.050 s"
    later = [
        *HISTORY,
        event(9_590, "webhook.answered", call="w2", function="f2", status=200),
        *command(3, 9_600, "f2", "DEL", KEY),
    ]
    (clause,) = exceptions(told(later, ("f2 DEL msg_buffer:bot:49 request#1", 50, 19)))
    assert clause == "f2's DEL of msg_buffer takes 0.050 s"


def fault(kind: str, site: str, *details: tuple[str, int], actor: str = "f1", **where: Any) -> tuple[str, ...]:
    """The clause of a fault that strikes as m1's first GET sets out."""
    history = [*HISTORY[:4], event(2, "fault", kind=kind, site=site, actor=actor, **where), *HISTORY[4:]]
    return exceptions(told(history, (f"fault {site}#1", 1, 4), *((key, value, 5) for key, value in details)))


@pytest.mark.parametrize(
    ("said", "clause"),
    [
        (fault("request_lost", f"f1 GET {KEY}"), "m1's first GET of msg_buffer is lost on its way"),
        (fault("reply_lost", f"f1 GET {KEY}"), "the reply to m1's first GET of msg_buffer is lost"),
        (
            fault("stall", f"f1 GET {KEY}", (f"stall f1 GET {KEY}#1", 6_000), (f"which hop f1 GET {KEY}#1", 1)),
            "the reply to m1's first GET of msg_buffer stalls for 6.000 s",
        ),
        (fault("crash", f"f1 GET {KEY} reply"), "f1 crashes before the reply to m1's first GET of msg_buffer arrives"),
        (fault("restart", f"f1 GET {KEY}"), "Redis restarts as m1's first GET of msg_buffer arrives"),
        (
            fault("unreachable", f"f1 GET {KEY}", (f"outage f1 GET {KEY}#1", 2_000)),
            "Redis cannot be reached for 2.000 s from the arrival of m1's first GET of msg_buffer",
        ),
        (
            fault("clock_skew", "f1 starts", ("skew f1#1", -60_000)),
            "f1's clock is off by -60.000 s",
        ),
        (
            fault(
                "processor_failure", "processor f2-h1", ("how processor f2-h1#1", 3), call="f2-h1", actor="processor"
            ),
            "the processor never answers, and does nothing at m1 and m2",
        ),
        (
            fault("webhook_repeated", "provider m1", ("repeat provider m1#1", 700), label="m1", actor="provider"),
            "the provider sends m1 again 0.700 s later",
        ),
        (fault("delivery_repeated", "f1 delivery"), "f1's delivery call arrives twice"),
    ],
)
def test_a_fault_with_its_details_is_one_clause(said: tuple[str, ...], clause: str) -> None:
    assert said == (clause,)


@pytest.mark.parametrize(("hop_ms", "stepped", "said"), SLOW)
def test_a_network_that_is_slow_everywhere_is_one_deviation(hop_ms: list[int], stepped: bool, said: list[str]) -> None:
    slow = Told(Run([event(0, "start", hop_ms=hop_ms)], {}, stepped, 0), {}, {})
    assert (list(exceptions(slow)), slow.size) == (said, (len(said), 1))


def test_what_only_says_more_of_a_deviation_is_not_counted() -> None:
    numbers = {"hold f1 GET k reply#1": 1, "until f1 GET k reply#1": 3, "fault f1 GET k#1": 2, "stall f1 GET k#1": 900}
    assert deviations_in(numbers, {"a#1": "b#1"}) == 3


def test_kinds_of_numbers_are_told_by_their_keys() -> None:
    keys = ("hold a#1", "until a#1", "route b#1", "fault c#1", "stall c#1", "next#3", "f1 GET k reply#1")
    kinds = ["hold", "hold", "route", "fault", "fault", "order", "duration"]
    assert [kind_of(key) for key in keys] == kinds
    assert is_duration("stall f1 GET k#1")
    assert not is_duration("which hop f1 GET k#1")


def test_a_run_in_order_has_no_clauses() -> None:
    assert exceptions(told()) == ()


@pytest.mark.parametrize(
    ("count", "said"), [(9, "ninth"), (10, "10th"), (11, "11th"), (21, "21st"), (22, "22nd"), (113, "113th")]
)
def test_an_ordinal_beyond_the_ninth_is_a_number_with_its_usual_ending(count: int, said: str) -> None:
    history = [*HISTORY[:3], *(each for n in range(count) for each in command(n + 1, 2, "f1", "GET", KEY))]
    named = Steps(history).named(f"f1 GET {KEY} reply#1", len(history))
    assert named.subject == f"the reply to m1's {said} GET of msg_buffer"


def test_a_key_with_braces_is_shown_as_it_is() -> None:
    assert Steps(HISTORY).named("f1 GET {1} request#1", 4).whole == "f1's GET of {1}"


def test_what_happened_before_the_first_message_has_the_time_that_the_timeline_shows() -> None:
    history = command(1, 7, "f1", "GET", KEY)
    history.append(
        event(24_000, "webhook.sent", call="w1", id="id-1", label="m1", conversation=WHO, text="", data=None)
    )
    (clause,) = exceptions(told(history, (f"hold f1 GET {KEY} request#1", 1, 1)))
    assert clause == "f1's GET of msg_buffer is held until 0.008 s"
