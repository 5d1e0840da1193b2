"""Cases so small that all their interleavings can be tried: what `--explore dpor` and `exhaustive` are for.

Each has one case, two functions, one shard, a processor that takes a second, and is coarse: a bounded number of hops may be held,
faults strike before `heal_ms`, lengths of time have their usual value. What is bounded is said in the proof.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from engine.simulation.case import FAULTS, Case, Sending
from scenarios.scenario import Scenario

#: More than any search here makes.
UNBOUNDED = 1_000_000

#: Waits that end before the next buffer is due, so that what a crash leaves behind is found again soon; nothing to adopt.
_SETTINGS: dict[str, Any] = {
    "SHARDS": 1,
    "ADOPT_PLAN_BUFFERS": False,
    "HAND_OVER_TIMEOUT_SECONDS": 5,
    "LEASE_MARGIN_SECONDS": 1,
    "DELIVERY_TIMEOUT_SECONDS": 7,
}


def _small(name: str, summary: str, at_ms: Sequence[int], **fields: Any) -> Scenario:
    settings = {**_SETTINGS, **fields.pop("settings", {})}
    concerns: tuple[str, ...] = fields.pop("concerns", ())
    sent: dict[int, dict[str, Any]] = fields.pop("sent", {})
    case = Case(
        sendings=tuple(
            replace(
                Sending(at_ms=ms, message_id=f"id-{number}", text=f"text {number}", label=f"m{number}"),
                **sent.get(number, {}),
            )
            for number, ms in enumerate(at_ms, 1)
        ),
        settings=settings,
        **{"functions": 2, "processor_ms": (1_000, 1_000), "instants_ms": (8_000,), "holds_max": 0, **fields},
    )

    def sample(rng: random.Random, strategy: str) -> Case | None:
        return case if not concerns or strategy in concerns else None

    return Scenario(name=name, summary=summary, sample=sample, runs=UNBOUNDED, cases=1)


def _one_fault(*kinds: str, before_ms: int = 9_000) -> dict[str, Any]:
    return {"faults": kinds, "fault_budget": 1, "heal_ms": before_ms}


#: What `lua` (or `lock`) loses by itself before it stops cannot be laid at the door of a design that holds: others are not judged.
_FROM_LUA: dict[str, Any] = {
    "rollout_from": "lua",
    "rollout_at_ms": 20_000,
    "heal_ms": 20_000,
    "concerns": ("baseline", "lock"),
}

SCENARIOS = (
    _small("small_boundary", "2 messages, the second as the first is delivered; no fault", (0, 8_000)),
    _small(
        "small_two",
        "2 messages, the second as the first is delivered; one fault of any kind",
        (0, 8_000),
        scripts_cached=True,
        **_one_fault(*FAULTS),
    ),
    _small(
        "small_alone",
        "the same on one function, and those that replace it",
        (0, 8_000),
        functions=1,
        scripts_cached=True,
        **_one_fault(*FAULTS),
    ),
    _small(
        "small_three",
        "3 messages, the third as the first two are delivered; no fault",
        (0, 4_000, 8_000),
        scripts_cached=True,
    ),
    _small("small_burst", "2 messages at once; no fault", (0, 0)),
    _small(
        "small_slow",
        "2 messages, hops slower than a lock lives; 2 of them held",
        (0, 500),
        hop_ms=(1, 4_000),
        instants_ms=(2_500,),
        holds_max=2,
        holds_until_ms=2_600,
    ),
    _small(
        "small_unlocked",
        "2 messages at once, with the plan's lock switched off; no fault",
        (0, 0),
        settings={"LOCK_ENABLED": False},
    ),
    _small(
        "small_lost_add",
        "2 messages, a lost reply of the first one's add",
        (0, 4_000),
        **_one_fault("reply_lost", before_ms=4_000),
    ),
    _small("small_grace", "a message that waits at the end of the window; no fault", (0, 7_500, 8_000)),
    _small("small_during", "a message while the processor works", (0, 8_500)),
    _small("small_hold", "2 messages at the boundary, 1 hop held", (0, 8_000), holds_max=1, holds_until_ms=9_100),
    _small("small_ttl", "a buffer that lives less long than it waits", (0,), settings={"BUFFER_TTL_SECONDS": 7}),
    _small("small_stall", "2 messages, a hop that stalls longer than a lock lives", (0, 500), **_one_fault("stall")),
    _small(
        "small_given_up",
        "2 messages, the second as the first one's function gives up a hop that stalls",
        (0, 5_000),
        **_one_fault("stall", before_ms=4_000),
    ),
    _small(
        "small_restart",
        "2 messages, the second after the first is handed over; Redis restarts",
        (0, 10_000),
        **_one_fault("restart", before_ms=9_500),
    ),
    _small(
        "small_lost_request", "2 messages at the boundary, a lost request", (0, 8_000), **_one_fault("request_lost")
    ),
    _small(
        "small_rollout",
        "2 messages at once, on a function of `lua` and one of another design",
        (0, 0),
        **_FROM_LUA,
    ),
    _small(
        "small_rollout_late",
        "a message while the processor works, on a function of `lua` and one of another design",
        (0, 8_500),
        **_FROM_LUA,
    ),
    _small(
        "small_rollback",
        "2 messages at the boundary, on a function of `lock` and one of `lua`",
        (0, 8_000),
        **{**_FROM_LUA, "rollout_from": "lock", "concerns": ("lua",)},
    ),
    _small("small_repeat", "a message that the provider repeats", (0,), sent={1: {"repeats_ms": (500,)}}),
    _small("small_delivery", "a message whose delivery arrives twice", (0,), **_one_fault("delivery_repeated")),
    _small("small_lost_reply", "2 messages, a lost reply", (0, 500), **_one_fault("reply_lost", "request_lost")),
    _small("small_crash", "2 messages, a crash", (0, 500), **_one_fault("crash")),
    _small("small_failure", "a message, a processor that fails", (0,), **_one_fault("processor_failure")),
    _small("small_refused", "a message whose deliveries are refused", (0,), endpoint_failures=4, heal_ms=1_000),
    _small("small_blank", "a blank text and another one", (0, 500), sent={1: {"text": " "}}),
    _small(
        "small_names",
        "names that differ in where a colon stands",
        (0, 500),
        sent={
            1: {"instance_name": "a:b", "user_phone": "c"},
            2: {"instance_name": "a", "user_phone": "b:c"},
        },
    ),
    _small(
        "small_skew",
        "2 messages, clocks that are off by a minute",
        (0, 500),
        clock_offsets_ms=(60_000, 0),
    ),
    _small("small_expiry", "an outage longer than a buffer lives", (0,), outages_ms=((7_000, 70_000),), heal_ms=70_000),
    _small(
        "small_cleanup",
        "a message as the cleanup finds an old buffer",
        (0, 640_000),
        settings={"PROCESSED_BUFFER_TTL": 700, "CLEANUP_INTERVAL_SECONDS": 640},
        instants_ms=(8_000, 640_000),
    ),
)
