"""What fails and what is repeated: the endpoint, the processor, Redis, functions, clocks, the provider."""

import random
from dataclasses import replace
from typing import Any

from engine.simulation.case import DAGGER_FAULTS, FAULTS, PROCESSOR_FAILURES, Case, Sending
from scenarios.catalogue.drawing import burst, case, near_edge, phone
from scenarios.scenario import Scenario


def _few(rng: random.Random) -> list[Sending]:
    later = [rng.choice([near_edge(rng), rng.randint(0, 16_000)]) for _ in range(rng.randint(0, 2))]
    return burst(rng, [0, *later])


def _retry(rng: random.Random, _strategy: str) -> Case:
    times = rng.randint(1, 5)
    if rng.random() < 0.3:
        return case(_few(rng), endpoint_failures=times, heal_ms=10_000)
    kind = rng.choice(PROCESSOR_FAILURES)
    return case(_few(rng), processor_failures=(kind,) * times, heal_ms=10_000)


def _late_mark(rng: random.Random, _strategy: str) -> Case:
    work_ms = rng.choice([14_000, 31_000, 61_000, 90_000])
    later = [rng.randint(8_000, 8_000 + work_ms + 10_000) for _ in range(rng.randint(1, 2))]
    return case(burst(rng, [0, *later]), processor_ms=(max(1_000, work_ms - 1_000), work_ms))


def _ttl(rng: random.Random, _strategy: str) -> Case:
    settings = {
        "BUFFER_TTL_SECONDS": rng.choice([15, 60]),
        "TIMER_TTL_SECONDS": rng.choice([10, 30]),
        "PROCESSED_BUFFER_TTL": rng.choice([30, 300]),
    }
    ttl_ms = int(settings["BUFFER_TTL_SECONDS"]) * 1_000
    way = rng.randrange(3)
    if way == 0:  # the delay against the buffer's TTL, one millisecond either side
        settings["BUFFER_DELAY_MS"] = ttl_ms + rng.choice([-1_000, -1, 0, 1, 1_000])
        return case(burst(rng, [0]), settings=settings, hop_ms=(1, 50))
    if way == 1:  # an outage over the delivery, against the TTL
        down_ms = 7_000
        up_ms = down_ms + rng.choice([3_000, 9_000, 20_000, 50_000, 58_000])
        return case(burst(rng, [0]), settings=settings, outages_ms=((down_ms, up_ms),), heal_ms=up_ms)
    again_ms = int(settings["PROCESSED_BUFFER_TTL"]) * 1_000 + rng.randint(9_000, 16_000)
    return case(burst(rng, [0, again_ms]), settings=settings)


def _cleanup_race(rng: random.Random, _strategy: str) -> Case:
    # A processed buffer must be older than 600 s to be cleaned up, so it must live longer than the plan lets it.
    # The first cleanup that finds one is the eleventh of the plan's, and each begins an interval after the one before has
    # *ended*: by then nobody knows when. So most draws have a single cleanup, at a known time.
    interval_s = rng.choice([60, 640, 640, 640])
    settings = {"PROCESSED_BUFFER_TTL": 700, "CLEANUP_INTERVAL_SECONDS": interval_s}
    if interval_s == 60:
        at_ms = rng.randint(660_000, 668_000)
    else:
        at_ms = interval_s * 1_000 + rng.choice([0, rng.randint(-1_200, 400)])
    again = [at_ms, *(at_ms + rng.randint(0, 2_000) for _ in range(rng.randint(0, 2)))]
    return case(burst(rng, [0, *again]), settings=settings, instants_ms=(7_500, 8_000, 8_500, at_ms))


def _retired(rng: random.Random, _strategy: str) -> Case:
    return case(_few(rng), retire_after_ms=rng.choice([0, 1, 500, 5_000]))


def _skewed_clocks(rng: random.Random, _strategy: str) -> Case:
    offsets = tuple(rng.choice([0, -2_000, 2_000, -60_000, 60_000, rng.randint(-9_000, 9_000)]) for _ in range(3))
    drifts = tuple(rng.choice([0, 0, -500, 500]) for _ in range(3))
    sendings = _few(rng)
    if rng.random() < 0.5:  # clocks that are apart show where one function goes on after another: in the next batch
        sendings = burst(rng, [*(each.at_ms for each in sendings), rng.randint(8_500, 25_000)])
    return case(sendings, clock_offsets_ms=offsets, clock_drifts_ppm=drifts)


def _webhook_repeats(rng: random.Random, _strategy: str) -> Case:
    sendings = _few(rng)
    index = rng.randrange(len(sendings))
    repeats = tuple(
        sorted(rng.choice([0, 1, 500, 7_999, 8_000, 20_000, 100_000, 400_000]) for _ in range(rng.randint(1, 2)))
    )
    sendings[index] = replace(sendings[index], repeats_ms=repeats)
    if rng.random() < 0.3:  # the same id with another text
        other = replace(
            sendings[index], text="another text", at_ms=sendings[index].at_ms + 300, repeats_ms=(), label="m9"
        )
        sendings.append(other)
    return case(sendings, provider_retries=rng.randint(0, 2))


def _outage(rng: random.Random, _strategy: str) -> Case:
    start_ms = rng.choice([0, rng.randint(0, 8_000), rng.randint(7_500, 9_000), rng.randint(8_000, 20_000)])
    end_ms = start_ms + rng.choice([500, 3_000, 10_000, 40_000, 90_000])
    return case(_few(rng), outages_ms=((start_ms, end_ms),), heal_ms=end_ms, provider_retries=rng.randint(0, 3))


def _processor_slow(rng: random.Random, _strategy: str) -> Case:
    return case(_few(rng), processor_failures=("slow",) * rng.randint(1, 3), heal_ms=10_000)


def _delivery_repeats(rng: random.Random, _strategy: str) -> Case:
    work_ms = rng.choice([1_000, 5_000, 15_000])
    return case(
        _few(rng),
        faults=("delivery_repeated",),
        fault_budget=3,
        fault_rate=0.8,
        heal_ms=60_000,
        processor_ms=(work_ms // 2, work_ms),
    )


#: Kinds that have a few sites in a run rather than dozens: at the usual rates they would hardly ever strike.
_RARE_SITES = frozenset(
    {"clock_skew", "processor_failure", "webhook_repeated", "delivery_repeated", "processor_too_slow"}
)


def _with_faults(rng: random.Random, kinds: tuple[str, ...]) -> Case:
    sendings = _few(rng)
    if rng.random() < 0.25:
        sendings += burst(rng, [rng.randint(0, 9_000)], first=len(sendings) + 1, user_phone=phone(2))
    if rng.random() < 0.25:
        sendings += burst(rng, [rng.randint(20_000, 150_000)], first=len(sendings) + 1)
    last_ms = max(sending.at_ms for sending in sendings)
    return case(
        sendings,
        faults=kinds,
        fault_budget=3,
        fault_rate=rng.choice([0.3, 0.6] if _RARE_SITES.issuperset(kinds) else [0.01, 0.03, 0.1]),
        heal_ms=last_ms + rng.choice([20_000, 60_000, 200_000, 700_000]),
        provider_retries=rng.randint(0, 3),
        functions=rng.choice([2, 3]),
    )


def _any_fault(rng: random.Random, _strategy: str) -> Case:
    kinds = tuple(kind for kind in FAULTS if rng.random() < 0.5) or FAULTS
    drawn = _with_faults(rng, kinds)
    # One rate for all kinds leaves those with few sites out, so one of them may be planned instead, in the same budget.
    rare = [kind for kind in kinds if kind in _RARE_SITES and kind != "delivery_repeated"]
    if not rare or rng.random() < 0.5:
        return drawn
    return replace(drawn, fault_budget=2, **_planned(rng, rng.choice(rare), drawn))


def _planned(rng: random.Random, kind: str, drawn: Case) -> dict[str, Any]:
    """The fields of a case that plan one fault of this kind."""
    if kind == "clock_skew":
        return {"clock_offsets_ms": (rng.randint(-60_000, 60_000),)}
    if kind == "processor_failure":
        return {"processor_failures": ("ok",) * rng.randint(0, 1) + (rng.choice(PROCESSOR_FAILURES),)}
    repeat_ms = rng.choice([0, 500, 8_000, 20_000])
    return {"sendings": (replace(drawn.sendings[0], repeats_ms=(repeat_ms,)), *drawn.sendings[1:])}


def _steady(rng: random.Random, _strategy: str, *, failures: tuple[str, ...] | None = None) -> Case:
    # A buffer after the other, so that whatever comes late (a stalled command, a function that was paused) meets a
    # batch that is not its own.
    gap_ms = rng.choice([3_000, 7_000, 9_000, 15_000])
    sendings = burst(rng, [index * gap_ms + rng.randint(0, 1_000) for index in range(rng.randint(5, 9))])
    kinds = rng.choice(
        [("stall",), ("pause",), ("stall", "reply_lost"), ("stall", "processor_failure"), ("pause", "crash")]
    )
    planned = rng.choice([(), ("ok", "error_500"), ("error_500",) * 2, ("error_500", "ok", "error_500")])
    return case(
        sendings,
        faults=kinds,
        fault_budget=rng.choice([1, 2, 3, 6]),
        fault_rate=rng.choice([0.03, 0.1]),
        heal_ms=sendings[-1].at_ms + rng.choice([20_000, 200_000]),
        processor_ms=rng.choice([(1_000, 5_000), (5_000, 20_000)]),
        processor_failures=planned if failures is None else failures,
        settings={"MAX_RETRY_ATTEMPTS": rng.choice([0, 1, 1, 3])},
        functions=rng.choice([2, 3]),
    )


def _steady_failures(rng: random.Random, strategy: str) -> Case:
    failures = tuple(rng.choice(("ok", "ok", "error_500", "answer_lost")) for _ in range(12))
    return _steady(rng, strategy, failures=failures)


def _one_kind(kind: str) -> Scenario:
    return Scenario(
        name=f"fault_{kind}" if kind in FAULTS else kind,
        summary=f"up to three faults of the kind {kind}, anywhere",
        sample=lambda rng, _strategy: _with_faults(rng, (kind,)),
        dagger=kind in DAGGER_FAULTS,
        runs=120,
    )


SCENARIOS = (
    Scenario(
        name="retry", summary="the endpoint or the processor fails up to five times", sample=_retry, main=True, runs=150
    ),
    Scenario(name="late_mark", summary="a processor slower than the buffer's TTL", sample=_late_mark, runs=100),
    Scenario(name="ttl", summary="delays and outages against each TTL, old and new", sample=_ttl, runs=150),
    Scenario(name="cleanup_race", summary="a new burst at the moment of the cleanup", sample=_cleanup_race, runs=200),
    Scenario(name="retired", summary="functions that the platform stops after they answered", sample=_retired, runs=80),
    Scenario(name="skewed_clocks", summary="wall clocks that are off and drift", sample=_skewed_clocks, runs=100),
    Scenario(
        name="webhook_repeats",
        summary="the provider sends the same message id again",
        sample=_webhook_repeats,
        runs=150,
    ),
    Scenario(
        name="delivery_repeats", summary="the same delivery call arrives twice", sample=_delivery_repeats, runs=100
    ),
    Scenario(name="outage", summary="Redis cannot be reached for a while", sample=_outage, runs=120),
    Scenario(
        name="processor_slow", summary="a processor slower than the caller waits", sample=_processor_slow, runs=60
    ),
    Scenario(name="any_fault", summary="up to three faults of any kind, anywhere", sample=_any_fault, runs=300),
    Scenario(
        name="steady",
        summary="a person who goes on writing while commands stall and functions pause",
        sample=_steady,
        runs=200,
    ),
    Scenario(
        name="steady_failures",
        summary="the same, while the processor fails now and then",
        sample=_steady_failures,
        runs=200,
    ),
    *(_one_kind(kind) for kind in (*FAULTS, *DAGGER_FAULTS)),
)
