"""Around the end of the window: the moments that tests never hit."""

import json
import random
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

from engine.simulation.case import Case, Sending
from scenarios.catalogue.drawing import burst, case, near_edge, on_edge, phone
from scenarios.scenario import Scenario


def _boundary(rng: random.Random, _strategy: str) -> Case:
    later = [on_edge(rng) for _ in range(rng.randint(1, 4))]
    return case(burst(rng, [0, *later]))


def _grace_wait(rng: random.Random, _strategy: str) -> Case:
    # The plan's add at the end of the window is slow; a processor that is quick may be done before it.
    later = [rng.choice([rng.randint(8_200, 8_499), near_edge(rng)]) for _ in range(rng.randint(1, 2))]
    return case(burst(rng, [0, *later]), processor_ms=(500, 1_200))


def _burst(rng: random.Random, _strategy: str) -> Case:
    together = [0] * rng.randint(2, 4)
    later = [rng.randint(0, 3_000) for _ in range(rng.randint(0, 2))]
    return case(burst(rng, together + later))


def _during_processing(rng: random.Random, _strategy: str) -> Case:
    work_ms = rng.choice([2_000, 5_000, 15_000, 60_000])
    later = [rng.randint(8_000, 8_000 + work_ms + 1_000) for _ in range(rng.randint(1, 3))]
    return case(burst(rng, [0, *later]), processor_ms=(work_ms // 2, work_ms))


def _as_it_is_settled(rng: random.Random, _strategy: str) -> Case:
    # The work takes a known time, so that a message can arrive at the very instant at which it is over: between the look
    # at what is left and the command that goes by it. A design that ticks begins at the end of the window or some ticks later.
    work_ms = rng.choice([1_000, 2_000, 5_000])
    over_ms = rng.choice([8_000, 8_000, 9_000, 10_000]) + work_ms
    # In timed runs some hops of at most 100 ms come before.
    later = [
        over_ms + rng.choice([0, 1, rng.randint(-3, 400), rng.randint(-3, 1_500)]) for _ in range(rng.randint(1, 3))
    ]
    return case(burst(rng, [0, *later]), hop_ms=(1, 100), processor_ms=(work_ms, work_ms))


def _as_it_is_disarmed(rng: random.Random, _strategy: str) -> Case:
    # A conversation that is done leaves the index at once, or in one of the next ticks. Each message but the first comes
    # about then, and whoever looks, then forgets, has as many occasions.
    work_ms = rng.choice([1_000, 2_000])
    at_ms, offsets = 0, []
    for _ in range(rng.randint(4, 6)):
        offsets.append(at_ms)
        after_ms = rng.choice([rng.randint(0, 600), 1_000 * rng.randint(0, 3), rng.randint(0, 3_500)])
        at_ms += 8_000 + work_ms + after_ms
    return case(burst(rng, offsets), hop_ms=(1, rng.choice([100, 600])), processor_ms=(work_ms, work_ms))


def _due_as_it_is_settled(rng: random.Random, _strategy: str) -> Case:
    # Work that takes longer than a window, so that the next buffer comes due as the batch in front is settled: who finds it
    # busy and who settles meet at the index. So does the one after it.
    work_ms = rng.choice([9_000, 12_000, 20_000])
    over_ms, offsets = rng.choice([8_000, 8_000, 9_000]), [0]
    for _ in range(rng.randint(1, 3)):
        over_ms += work_ms
        due_ms = over_ms + rng.choice([0, 1, rng.randint(-300, 100), rng.randint(-1_000, 1_000)])
        offsets.append(due_ms - 8_000)
    return case(burst(rng, offsets), hop_ms=(1, 100), processor_ms=(work_ms, work_ms))


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
    """The arrivals of one real burst, in milliseconds after its first message (the 0 in front).

    Seconds are drawn as they were counted, and uniformly within the second. Drawn so that the counted shares come out:
    how many messages within 8 s, whether there is one at 8 to 16 s, and how often there is one in each later second.
    """
    timing = burst_timing()
    counts = {int(second): count for second, count in timing["offset_s"].items()}
    sizes = timing["messages_within_8_s"]
    size = int(rng.choices(list(sizes), list(sizes.values()))[0])
    chosen = _seconds(rng, counts, range(8), size - 1)
    if rng.random() < timing["bursts_with_a_message_at_8_to_16_s"] / timing["bursts"]:
        # The bursts that have one there have a second one as often as makes the mean right.
        mean = sum(counts[second] for second in range(8, 16)) / timing["bursts_with_a_message_at_8_to_16_s"]
        chosen += _seconds(rng, counts, range(8, 16), 1 + (rng.random() < mean - 1))
    chosen += [second for second in range(16, 31) if rng.random() < counts[second] / timing["bursts"]]
    return [0, *sorted(second * 1_000 + rng.randrange(1_000) for second in chosen)]


def _seconds(rng: random.Random, counts: dict[int, int], among: range, how_many: int) -> list[int]:
    return rng.choices(among, [counts[second] for second in among], k=how_many)


def _real_chat(rng: random.Random, _strategy: str) -> Case:
    sendings: list[Sending] = []
    for index in range(rng.choice([1, 1, 2, 3])):
        start_ms = rng.randint(0, 5_000) if index else 0
        sendings += burst(rng, real_offsets(rng), start_ms=start_ms, first=len(sendings) + 1, user_phone=phone(index))
    return case(sendings)


def _blank_texts(rng: random.Random, _strategy: str) -> Case:
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
    Scenario(
        name="grace_wait",
        summary="a message at the end of the window, and a processor that is done soon",
        sample=_grace_wait,
        main=True,
        runs=60,
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
        name="as_it_is_settled",
        summary="messages at the very instant at which the processor is done",
        sample=_as_it_is_settled,
        runs=200,
    ),
    Scenario(
        name="as_it_is_disarmed",
        summary="one message after the other, each as the conversation that is done is being forgotten",
        sample=_as_it_is_disarmed,
        runs=150,
    ),
    Scenario(
        name="due_as_it_is_settled",
        summary="the next buffer comes due as the batch in front of it is settled",
        sample=_due_as_it_is_settled,
        runs=150,
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
