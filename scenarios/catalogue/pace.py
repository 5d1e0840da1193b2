"""How quickly and how much: a quick network, a person who does not stop writing or is silent for long, a flood. Nothing fails."""

import random
from dataclasses import replace

from engine.simulation.case import Case, Sending
from scenarios.catalogue.drawing import burst, case, near_edge, phone
from scenarios.scenario import Scenario


def _quick(rng: random.Random, _strategy: str) -> Case:
    # Where hops and work are short, little excuses an answer that is late.
    sendings = burst(rng, [0, *(near_edge(rng) for _ in range(rng.randint(0, 2)))])
    return case(sendings, hop_ms=(1, 20), processor_ms=(500, 1_000))


def _keeps_writing(rng: random.Random, _strategy: str) -> Case:
    # A pause is always shorter than the delay: a window that begins anew with each message does not end.
    at_ms, offsets = 0, []
    for _ in range(rng.randint(18, 30)):
        offsets.append(at_ms)
        at_ms += rng.randint(4_000, 7_400)
    return case(burst(rng, offsets), hop_ms=(1, 100), processor_ms=(500, 2_000))


#: Lifetimes that a key is given by habit, and those that follow from the time within which the provider repeats.
_LIFETIMES_S = (60, 120, 300, 600, 900, 1_800, 3_600, 4_200, 7_200)


def _silence(rng: random.Random, _strategy: str) -> Case:
    # Who writes again as what a design remembers of them ends: each thing has its own lifetime, set with the last burst or
    # its answer. A counter that has counted to four and begins again at one shows only if there were some bursts before.
    at_ms, offsets = 0, []
    for _ in range(rng.randint(2, 4)):
        offsets += [at_ms, *(at_ms + rng.randint(0, 7_000) for _ in range(rng.randint(0, 1)))]
        at_ms += rng.randint(12_000, 20_000)
    for lifetime_s in rng.sample(_LIFETIMES_S, rng.randint(2, 3)):
        offsets.append(max(offsets) + 1_000 * lifetime_s + rng.randint(-9_000, 14_000))
    return case(burst(rng, offsets), hop_ms=(1, 100), processor_ms=(500, 2_000))


def _flood(rng: random.Random, _strategy: str) -> Case:
    # More than a buffer is thought to hold: beyond ten, twenty, fifty, a hundred.
    size = rng.choice([11, 13, 21, 25, 33, 51, 65, 101, 129])
    sendings = burst(rng, [0, *(rng.randint(0, 7_000) for _ in range(size - 1))])
    if rng.random() < 0.3:
        sendings += burst(rng, [rng.randint(0, 7_000)], first=len(sendings) + 1, user_phone=phone(2))
    if rng.random() < 0.3:  # who remembers some of the last ids has forgotten the first
        sendings[0] = replace(sendings[0], repeats_ms=(rng.choice([7_000, 12_000, 30_000]),))
    return case(sendings, hop_ms=(1, 50), processor_ms=(500, 1_000))


def _crowd(rng: random.Random, _strategy: str) -> Case:
    # More people than a page of a sweep, a stream that is cut, or a pool has room for, each with little to say.
    sendings: list[Sending] = []
    for index in range(rng.choice([11, 13, 17, 21, 26])):
        start_ms = rng.choice([0, rng.randint(0, 3_000), rng.randint(0, 30_000)])
        offsets = [0, rng.randint(0, 12_000)] if rng.random() < 0.2 else [0]
        sendings += burst(rng, offsets, start_ms=start_ms, first=len(sendings) + 1, user_phone=phone(index))
    return case(sendings, hop_ms=(1, 50), processor_ms=rng.choice([(500, 1_000), (1_000, 15_000)]))


SCENARIOS = (
    Scenario(name="quick", summary="short hops and little work: what is late here, is late", sample=_quick, runs=60),
    Scenario(
        name="keeps_writing",
        summary="a person who writes for minutes, with pauses shorter than the delay",
        sample=_keeps_writing,
        runs=30,
    ),
    Scenario(
        name="silence",
        summary="some bursts, then nothing for minutes to hours, then the same person again",
        sample=_silence,
        runs=80,
    ),
    Scenario(name="crowd", summary="11 to 26 people within half a minute", sample=_crowd, runs=40),
    Scenario(name="flood", summary="11 to 129 messages within one window", sample=_flood, runs=50),
)
