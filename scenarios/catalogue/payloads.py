"""Hostile input: ids, texts, data and names as they come in from outside."""

import random
from dataclasses import replace
from typing import Any

from engine.simulation.case import Case
from scenarios.catalogue.drawing import burst, case, near_edge
from scenarios.scenario import Scenario

_NAMES = ("{a}", "a}b{", "x:y:z", "line\nbreak", "🦊🦊", "%41", " ", "msg_buffer", "\ud83d", "ü" * 40)
_IDS = ("", "id:1", "id\n2", "{3}", "9" * 900, "\udc00", "💬", "id-1")

#: Marks that stand between the parts of an entry, or that some syntax gives a meaning.
_MARKS = "|,;:=/\\%&<>'\"{}[]()*?$#@!^~`+-_. \t\n\r\0\x1e\x1f\x7f"
_ODD_TEXTS = (
    *(f"a{mark}b" for mark in _MARKS),
    *(f"{mark}a" for mark in '\ufeff\u200f\n" #'),
    *(f"a{mark}" for mark in "\n\r\t \0\\"),
    *(
        "two  blanks",
        "end\r\n",
        "a||b",
        "a::b",
        "a\n\nb",
        "--",
        "\\n",
        "\\u0041",
        "&amp;",
        "<b>",
        "%41",
        "%s {0} $1",
        "e\u0301",
    ),
    *(
        "UPPER",
        "\u0130\u00df",
        "\u212b",
        "\U0001f469\u200d\U0001f469\u200d\U0001f467",
        "\u2028",
        "\x85",
        "\ud83d",
        "日本語",
    ),
    *('{"text": 1}', "[1, 2]", '"quoted"', "null", "true", "None", "123", "007", "1e3", "1.0", "-0", "a" * 5_000),
)
_ODD_IDS = (
    *(f"b{mark}1" for mark in "|,;:=/%{*?$ \n"),
    *(
        "10",
        "9",
        "100",
        "1",
        "01",
        "-1",
        "1e3",
        "null",
        "true",
        "[1]",
        '{"id": 1}',
        " id",
        "id ",
        "B",
        "b",
        "é",
        "z" * 300,
    ),
)
_ODD_DATA: tuple[Any, ...] = (
    *([], {}, 0, False, "", 0.0, None, True, 1, 1.0, -0.0, "0", "text", "null", '{"a": 1}', "\ud83d"),
    *([None], [[]], [{}], {"": 1}, {"a": None}, {"a": []}, {"b": 1, "a": 2}, {"é": "\0"}, {"1": 1}, {"a|b": "c,d"}),
    *(1e16, 1e-7, 0.1, 2**53 + 1, -(2**63), {"n": 2**64}),
)


def _nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = {"d": value}
    return value


def _hostile_data(rng: random.Random) -> Any:
    return rng.choice(
        [
            {"empty": [], "nested": {"empty": {}}},
            {"big": 2**63, "bigger": 2**80 + 1, "exact": 1234567890123456789},
            {"null": None, "list": [None, [], {}]},
            _nested(100),
            {"lone": "\ud800", "slash": "a/b", "arabic": "\u0645"},
            [1, 1.0, True, "1", -0.0, 1e300],
            "plain text",
            {"base64": "QUJD" * 500},
        ]
    )


def _hostile_payloads(rng: random.Random, _strategy: str) -> Case:
    name, phone = rng.choice(_NAMES), rng.choice(_NAMES)
    sendings = burst(rng, [0, rng.randint(0, 6_000), near_edge(rng)], instance_name=name, user_phone=phone)
    sendings = [replace(sending, data=_hostile_data(rng)) for sending in sendings]
    odd = rng.randrange(3)
    sendings[odd] = replace(sendings[odd], message_id=rng.choice(_IDS[1:]) + f"-{odd}")
    size = rng.choice([10, 1_000, 100_000]) if rng.random() < 0.98 else 600_000  # bytes: up to three times as many
    sendings[2] = replace(sendings[2], text=rng.choice(["x", "é", "\\", '"', "\ud800"]) * size)
    if rng.random() < 0.2:  # an id again, with another text: the first payload counts
        again = replace(sendings[odd], text="another text", at_ms=sendings[odd].at_ms + 3_000, label="m4")
        sendings = [*sendings, again]
    return case(sendings)


def _odd_messages(rng: random.Random, _strategy: str) -> Case:
    """Short texts, ids and data that a join, a split, a trim, a fold, an escape or a check for truth changes."""
    sendings = burst(rng, [0, *(rng.randint(500, 7_000) for _ in range(rng.randint(1, 3)))])
    ids = rng.sample(_ODD_IDS, len(sendings))
    return case(
        [
            replace(sending, message_id=message_id, text=rng.choice(_ODD_TEXTS), data=rng.choice(_ODD_DATA))
            for sending, message_id in zip(sendings, ids, strict=True)
        ],
        hop_ms=(1, rng.choice([50, 600])),
    )


def _cluster(rng: random.Random, _strategy: str) -> Case:
    return case(
        burst(rng, [0, near_edge(rng)]), cluster=True, processor_failures=rng.choice([(), ("error_500",)]), heal_ms=0
    )


SCENARIOS = (
    Scenario(
        name="hostile_payloads",
        summary="big integers, empty lists, lone surrogates, odd names",
        sample=_hostile_payloads,
        runs=120,
    ),
    Scenario(
        name="odd_messages",
        summary="texts, ids and data that a split, a trim, a fold or an escape changes",
        sample=_odd_messages,
        runs=200,
    ),
    Scenario(
        name="cluster",
        summary="keys of two hash slots in one script are refused",
        sample=_cluster,
        when_asked=True,
        runs=40,
    ),
)
