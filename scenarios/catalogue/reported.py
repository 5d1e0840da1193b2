"""Bugs that users of well-known queues reported, a scenario each: thin cases in which a design that has one shows it."""

import random
from dataclasses import replace

from engine.simulation.case import Case
from scenarios.catalogue.drawing import burst, case
from scenarios.scenario import Scenario


def _trigger_during_processing(rng: random.Random, _strategy: str) -> Case:
    return case(burst(rng, [0, rng.randint(8_100, 16_000)]), processor_ms=(8_000, 10_000))


def _lost_lock_stale_writer(rng: random.Random, _strategy: str) -> Case:
    sendings = burst(rng, [0, rng.randint(0, 500), rng.randint(7_900, 12_000)])
    return case(sendings, hop_ms=(1, 3_000), faults=("pause", "stall"), fault_budget=2, fault_rate=0.1, heal_ms=300_000)


def _append_reply_lost(rng: random.Random, _strategy: str) -> Case:
    return case(
        burst(rng, [0]),
        faults=("reply_lost",),
        fault_budget=rng.randint(1, 4),
        fault_rate=0.5,
        heal_ms=4_000,
        provider_retries=3,
    )


def _marker_before_lock(rng: random.Random, _strategy: str) -> Case:
    sendings = burst(rng, [0, rng.randint(0, 200), rng.randint(0, 400)])
    return case(
        sendings,
        hop_ms=(1, rng.choice([600, 3_000])),
        faults=("crash", "request_lost"),
        fault_budget=2,
        fault_rate=0.15,
        heal_ms=10_000,
        provider_retries=3,
    )


def _flush_without_lock(rng: random.Random, _strategy: str) -> Case:
    return case(burst(rng, [0, *(rng.randint(7_300, 8_600) for _ in range(3))]), hop_ms=(1, rng.choice([600, 2_600])))


def _lock_not_extended(rng: random.Random, _strategy: str) -> Case:
    work_ms = rng.choice([35_000, 65_000, 90_000])
    return case(burst(rng, [0, rng.randint(9_000, 8_000 + work_ms)]), processor_ms=(work_ms - 5_000, work_ms))


def _same_text_twice(rng: random.Random, _strategy: str) -> Case:
    sendings = [replace(each, text="ok", data=None) for each in burst(rng, [0, rng.randint(0, 7_000)])]
    return case(sendings)


def _redelivered_webhook(rng: random.Random, _strategy: str) -> Case:
    sendings = burst(rng, [0, rng.randint(100, 6_000)])
    sendings[0] = replace(sendings[0], repeats_ms=(rng.choice([0, 10, 2_000, 9_000, 30_000]),))
    return case(sendings)


SCENARIOS = (
    Scenario(
        name="trigger_during_processing",
        summary="a trigger that arrives while its job is processed",
        sample=_trigger_during_processing,
        runs=60,
    ),
    Scenario(
        name="lost_lock_stale_writer",
        summary="a lost lock, then two runs, then the stale one writes",
        sample=_lost_lock_stale_writer,
        runs=120,
    ),
    Scenario(
        name="append_reply_lost_then_repeated",
        summary="the append succeeded, its reply was lost, the repeat is recognised",
        sample=_append_reply_lost,
        runs=80,
    ),
    Scenario(
        name="marker_before_lock",
        summary="the repeat marker is written, the lock is not got",
        sample=_marker_before_lock,
        runs=100,
    ),
    Scenario(
        name="flush_without_lock", summary="the flush does not get the lock", sample=_flush_without_lock, runs=100
    ),
    Scenario(
        name="lock_not_extended", summary="a handler that runs longer than its lock", sample=_lock_not_extended, runs=60
    ),
    Scenario(name="same_text_twice", summary="the same text twice within the window", sample=_same_text_twice, runs=40),
    Scenario(name="redelivered_webhook", summary="a webhook that comes again", sample=_redelivered_webhook, runs=60),
)
