"""Around the end of the window: the moments that tests never hit."""

import json
import random
from functools import cache
from importlib import resources
from typing import Any

from engine.simulation.case import Case, Sending
from scenarios.catalogue.drawing import burst, case, near_edge, phone
from scenarios.scenario import Scenario


def _boundary(rng: random.Random, _strategy: str) -> Case:
    later = [near_edge(rng) for _ in range(rng.randint(1, 4))]
    return case(burst(rng, [0, *later]))


def _burst(rng: random.Random, _strategy: str) -> Case:
    together = [0] * rng.randint(2, 4)
    later = [rng.randint(0, 3_000) for _ in range(rng.randint(0, 2))]
    return case(burst(rng, together + later))


def _during_processing(rng: random.Random, _strategy: str) -> Case:
    work_ms = rng.choice([2_000, 5_000, 15_000, 60_000])
    later = [rng.randint(8_000, 8_000 + work_ms + 1_000) for _ in range(rng.randint(1, 3))]
    return case(burst(rng, [0, *later]), processor_ms=(work_ms // 2, work_ms))


def _slow_holder(rng: random.Random, _strategy: str) -> Case:
    later = [rng.choice([0, rng.randint(0, 3_000), near_edge(rng)]) for _ in range(rng.randint(1, 3))]
    return case(burst(rng, [0, *later]), hop_ms=(1, rng.choice([2_600, 4_000])))


_PAIRS = (
    (("a:b", "c"), ("a", "b:c")),
    (("shop:1", "2"), ("shop", "1:2")),
    (("{x}:y", "1"), ("{x}", "y:1")),
    (("bot\n:", "7"), ("bot\n", ":7")),
    (("🤖:🤖", "9"), ("🤖", "🤖:9")),
)


def _two_conversations(rng: random.Random, _strategy: str) -> Case:
    sendings: list[Sending] = []
    for names in rng.choice(_PAIRS):
        offsets = [rng.randint(0, 4_000) for _ in range(rng.randint(1, 2))]
        sendings += burst(rng, offsets, first=len(sendings) + 1, instance_name=names[0], user_phone=names[1])
    return case(sendings)


def _next_burst(rng: random.Random, _strategy: str) -> Case:
    again_ms = rng.choice([12_000, 20_000, 60_000, 200_000, 299_000, 320_000])
    second = [rng.randint(0, 2_000) for _ in range(rng.randint(1, 2))]
    sendings = burst(rng, [0, rng.randint(100, 6_000)])
    return case(sendings + burst(rng, second, start_ms=again_ms, first=3))


@cache
def burst_timing() -> dict[str, Any]:
    """Counts of real bursts: see `scenarios/data/README.md`."""
    text = resources.files("scenarios").joinpath("data/burst-timing.json").read_text(encoding="utf-8")
    timing: dict[str, Any] = json.loads(text)
    return timing


def real_offsets(rng: random.Random) -> list[int]:
    """The arrivals of one real burst: whole seconds as counted, uniform within the second."""
    timing = burst_timing()
    mean_later = sum(timing["offset_s"].values()) / timing["bursts"]
    count = sum(rng.random() < mean_later / 4 for _ in range(4))
    seconds, weights = zip(*timing["offset_s"].items(), strict=True)
    chosen = rng.choices(seconds, weights, k=count)
    return [0, *(int(second) * 1_000 + rng.randrange(1_000) for second in chosen)]


def _real_chat(rng: random.Random, _strategy: str) -> Case:
    sendings: list[Sending] = []
    for index in range(rng.choice([1, 1, 2, 3])):
        start_ms = rng.randint(0, 5_000) if index else 0
        sendings += burst(rng, real_offsets(rng), start_ms=start_ms, first=len(sendings) + 1, user_phone=phone(index))
    return case(sendings)


def _blank_texts(rng: random.Random, _strategy: str) -> Case:
    from dataclasses import replace

    sendings = burst(rng, [0, *(rng.randint(0, 7_000) for _ in range(rng.randint(0, 2)))])
    blank = rng.randrange(len(sendings))
    sendings[blank] = replace(sendings[blank], text=rng.choice(["", " ", "\n\t"]))
    return case(sendings)


def _many_conversations(rng: random.Random, _strategy: str) -> Case:
    sendings: list[Sending] = []
    for index in range(rng.randint(4, 8)):
        offsets = [0, *(near_edge(rng) for _ in range(rng.randint(0, 2)))]
        sendings += burst(
            rng, offsets, start_ms=rng.randint(0, 3_000), first=len(sendings) + 1, user_phone=phone(index)
        )
    return case(sendings)


SCENARIOS = (
    Scenario(
        name="boundary",
        summary="2 to 5 messages, the later ones 7.4 to 8.6 s after the first",
        sample=_boundary,
        main=True,
        runs=200,
    ),
    Scenario(name="burst", summary="first messages at the same instant", sample=_burst, main=True, runs=200),
    Scenario(
        name="during_processing",
        summary="messages that arrive while the processor works",
        sample=_during_processing,
        main=True,
        runs=100,
    ),
    Scenario(
        name="slow_holder", summary="hops that take longer than a lock lives", sample=_slow_holder, main=True, runs=300
    ),
    Scenario(
        name="two_conversations",
        summary="names that differ only in where a colon stands",
        sample=_two_conversations,
        main=True,
        runs=80,
    ),
    Scenario(
        name="next_burst",
        summary="the same person again, while a processed buffer stands",
        sample=_next_burst,
        main=True,
        runs=100,
    ),
    Scenario(
        name="real_chat",
        summary="bursts drawn from the timing of 86,000 real messages",
        sample=_real_chat,
        main=True,
        runs=200,
    ),
    Scenario(name="blank_texts", summary="messages without text among others", sample=_blank_texts, runs=80),
    Scenario(name="many_conversations", summary="4 to 8 people at once", sample=_many_conversations, runs=60),
)
