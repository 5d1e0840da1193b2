"""Old and new functions on one Redis, as in a rollout or a rollback."""

import random
from dataclasses import replace
from typing import Any

from engine.simulation.case import Case
from scenarios.catalogue.drawing import burst, case, near_edge, phone
from scenarios.scenario import Scenario

#: From which strategies a rollout (or rollback) to this one is tried.
PAIRS = {
    "lock": ("baseline", "lua", "lease"),
    "lua": ("lock", "lease"),
    "baseline": ("lock",),
    "lease": ("lua", "lock"),
}


def _mixed_rollout(rng: random.Random, strategy: str) -> Case | None:
    if strategy not in PAIRS:
        return None
    older = rng.choice(PAIRS[strategy])
    at_ms = rng.choice([rng.randint(0, 8_000), near_edge(rng), rng.randint(8_000, 20_000)])
    hop_ms = (1, 600)
    more: dict[str, Any] = {}
    if strategy == "lease":
        # `lease` answers for what it finds. An outage as long as the old buffer's TTL leaves it nothing to find: with the plan's 60 s
        # (`--set BUFFER_TTL_SECONDS=60`) that is a limit, said in docs/limits.md.
        more["settings"] = {"BUFFER_TTL_SECONDS": 7_200}
        # What the old design loses by itself cannot be laid at the new one's door: its functions stop before they have
        # read the first batch, and no hop is so long that a lock ends under its holder.
        at_ms = min(at_ms, rng.randint(1_000, 7_500))
        hop_ms = (1, 250)
    sendings = burst(rng, [0, *(rng.randint(0, 15_000) for _ in range(rng.randint(0, 2)))])
    sendings += burst(
        rng,
        [at_ms + rng.randint(-2_000, 2_000) if at_ms > 2_000 else at_ms],
        first=len(sendings) + 1,
        user_phone=phone(3),
    )
    if "lua" in (strategy, older):
        # `lua` damages data by itself, and what is damaged before the rollout cannot be laid at the other one's door.
        sendings = [replace(sending, data=None) for sending in sendings]
    judged = ("no_loss", "integrity") if "lease" in (strategy, older) else None
    return case(sendings, rollout_from=older, rollout_at_ms=at_ms, judged=judged, heal_ms=at_ms, hop_ms=hop_ms, **more)


SCENARIOS = (
    Scenario(
        name="mixed_rollout",
        summary="old and new functions on one Redis; the old ones stop",
        sample=_mixed_rollout,
        runs=150,
    ),
)
