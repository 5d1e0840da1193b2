"""Features of a case that a batch of a campaign switches on: each changes one thing that its scenario left as it was.

A fault that would show with one feature may be hidden by another, so a batch has a random subset of them.
Source: A. Groce et al., "Swarm Testing" (ISSTA 2012).
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from engine.simulation.case import Case, Sending

Feature = Callable[[Case, random.Random], Case]


def _few_functions(case: Case, rng: random.Random) -> Case:
    return replace(case, functions=rng.choice([1, 2])) if case.functions == 3 else case


def _many_functions(case: Case, rng: random.Random) -> Case:
    return replace(case, functions=rng.choice([4, 5])) if case.functions == 3 else case


def _slow_network(case: Case, rng: random.Random) -> Case:
    return replace(case, hop_ms=(1, rng.choice([1_500, 2_600]))) if case.hop_ms == (1, 600) else case


def _fast_network(case: Case, rng: random.Random) -> Case:
    return replace(case, hop_ms=(1, rng.choice([2, 20]))) if case.hop_ms == (1, 600) else case


def _long_work(case: Case, rng: random.Random) -> Case:
    if case.processor_ms != (1_000, 5_000):
        return case
    work_ms = rng.choice([15_000, 60_000, 90_000])
    return replace(case, processor_ms=(work_ms // 2, work_ms))


def _retiring(case: Case, rng: random.Random) -> Case:
    return replace(case, retire_after_ms=rng.choice([0, 1, 500, 5_000])) if case.retire_after_ms is None else case


def _skewed_clocks(case: Case, rng: random.Random) -> Case:
    if case.clock_offsets_ms:
        return case
    return replace(case, clock_offsets_ms=tuple(rng.choice([0, -2_000, 2_000, 60_000]) for _ in range(3)))


def _repeats(case: Case, rng: random.Random) -> Case:
    index = rng.randrange(len(case.sendings))
    sending = case.sendings[index]
    if sending.repeats_ms:
        return case
    repeated = replace(sending, repeats_ms=(rng.choice([0, 1, 500, 8_000, 20_000, 100_000]),))
    return replace(case, sendings=(*case.sendings[:index], repeated, *case.sendings[index + 1 :]))


def _retried(case: Case, rng: random.Random) -> Case:
    return case if case.provider_retries else replace(case, provider_retries=rng.randint(1, 3))


def _someone_else(case: Case, rng: random.Random) -> Case:
    other = Sending(
        at_ms=rng.randint(0, 9_000),
        instance_name=case.sendings[0].instance_name,
        user_phone="4915110000098",
        message_id="id-98",
        text="someone else",
        label="m98",
    )
    return replace(case, sendings=(*case.sendings, other))


#: Feature → what it does to a case. Where the scenario itself says something else, that stands.
FEATURES: Mapping[str, Feature] = {
    "few_functions": _few_functions,
    "many_functions": _many_functions,
    "slow_network": _slow_network,
    "fast_network": _fast_network,
    "long_work": _long_work,
    "retiring": _retiring,
    "skewed_clocks": _skewed_clocks,
    "repeats": _repeats,
    "retried": _retried,
    "someone_else": _someone_else,
}


def with_features(case: Case, features: tuple[str, ...], rng: random.Random) -> Case:
    """The case with these features. A rollout is left as it is: what it shows hangs on the moment it was written for."""
    if case.rollout_from is not None or not case.sendings:
        return case
    for name in features:
        case = FEATURES[name](case, rng)
    return case
