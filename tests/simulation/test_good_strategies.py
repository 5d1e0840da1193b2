"""No false alarm: correct designs of many kinds, written as an outsider would, hold all but what they say they do not."""

from pathlib import Path

import pytest

from engine.verification import INVARIANTS, Verdict
from scenarios.batch import Plan, Tally, run_batch
from scenarios.catalogue import SCENARIOS
from scenarios.selection import chosen_faults

FOLDER = Path(__file__).parents[1] / "strategies" / "good"
#: What a design that hands messages over one by one, and several at a time, does not do.
ONE_BY_ONE = frozenset({"buffered", "order", "one_at_a_time"})
#: Each design, and which invariants it does not claim to hold.
DESIGNS: dict[str, frozenset[str]] = {
    "asyncio_tools:AsyncioTools": ONE_BY_ONE,
    "blocking_tick:BlockingTick": frozenset(),
    "blocking_workers:BlockingWorkers": ONE_BY_ONE,
    "cached:Cached": frozenset(),
    "copy_pin:CopyPin": frozenset(),
    "decoded:Decoded": frozenset(),
    "due_index:DueIndex": frozenset(),
    "due_index:DueIndexSlow": frozenset(),
    "expiry_events:ExpiryEvents": frozenset(),
    "fallback:Fallback": frozenset({"no_duplicate", "order", "one_at_a_time"}),
    "fcall:Fcall": frozenset(),
    "field_ends:FieldEnds": frozenset(),
    "fifo:Fifo": frozenset({"buffered"}),
    "heartbeats:Heartbeats": frozenset(),
    "immediate:Immediate": ONE_BY_ONE | {"available"},
    "key_events:KeyEvents": frozenset(),
    "leader:Leader": frozenset(),
    "loops:EndlessTick": frozenset(),
    "loops:LoopInTheBackground": frozenset(),
    "loops:LoopOfItsOwn": frozenset(),
    "one_list:OneList": frozenset(),
    # Several round trips an add, and a rival's write makes it begin again: too long where each hop takes seconds.
    "optimistic:Optimistic": frozenset({"available"}),
    "outbox:Outbox": frozenset(),
    "packed_state:PackedState": frozenset(),
    "posted:Posted": frozenset(),
    "pubsub_wakeup:PubsubWakeup": frozenset(),
    "redis_lock:RedisLock": frozenset(),
    "reliable_queue:ReliableQueue": ONE_BY_ONE,
    "rename_claim:RenameClaim": frozenset(),
    "renewing:Renewing": frozenset(),
    "stream_batches:StreamBatches": frozenset(),
    "streams:Streams": ONE_BY_ONE,
    "timers_and_net:TimersAndNet": frozenset(),
}
every_design = pytest.mark.parametrize("design", DESIGNS)

#: Where most false alarms came from.
QUICK = ("boundary", "any_fault", "attempts_used_up")
SAMPLED = tuple(
    name for name, each in SCENARIOS.items() if not each.dagger and each.cases is None and not each.when_asked
)


def not_held(design: str, scenario: str, policy: str, runs: int, faults: tuple[str, ...] | None = None) -> list[str]:
    """What was found of this design that it does not admit to: violations, and what a run's end left undecided."""
    file, name = design.split(":")
    plan = Plan(strategy=f"{FOLDER / file}.py:{name}", scenario=scenario, policy=policy, seed=0, faults=faults)
    tally: Tally = run_batch(plan, 0, runs)
    found = [
        f"{invariant} {tally.verdict(invariant).name} in {scenario} ({policy})"
        for invariant in INVARIANTS
        if invariant not in DESIGNS[design]
        if tally.applicable[invariant] and tally.verdict(invariant) is not Verdict.HOLDS
    ]
    return found + [f"{scenario} ({policy}): {reason}" for reason in tally.reasons]


@every_design
def test_a_good_design_raises_no_alarm(design: str) -> None:
    assert [each for scenario in QUICK for each in not_held(design, scenario, "portfolio", 1)] == []


@pytest.mark.nightly
@every_design
def test_a_good_design_raises_no_alarm_in_any_scenario(design: str) -> None:
    assert [each for scenario in SAMPLED for each in not_held(design, scenario, "portfolio", 25)] == []


@pytest.mark.nightly
@every_design
@pytest.mark.parametrize("policy", ["timed", "random", "portfolio"])
def test_a_good_design_raises_no_alarm_under_all_faults(design: str, policy: str) -> None:
    faults = chosen_faults(["all"])
    assert [each for scenario in SAMPLED for each in not_held(design, scenario, policy, 8, faults)] == []
