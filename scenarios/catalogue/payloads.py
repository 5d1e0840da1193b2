"""Hostile input: ids, texts, data and names as they come in from outside."""

import random
from dataclasses import replace
from typing import Any

from engine.simulation.case import Case
from scenarios.catalogue.drawing import burst, case, near_edge
from scenarios.scenario import Scenario

_NAMES = ("{a}", "a}b{", "x:y:z", "line\nbreak", "🦊🦊", "%41", " ", "msg_buffer", "\ud83d", "ü" * 40)
_IDS = ("", "id:1", "id\n2", "{3}", "9" * 900, "\udc00", "💬", "id-1")


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
        name="cluster",
        summary="keys of two hash slots in one script are refused",
        sample=_cluster,
        when_asked=True,
        runs=40,
    ),
)
