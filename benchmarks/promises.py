"""What `lease` can not promise, in numbers: timed runs of the scenarios that no buffer on one Redis survives.

    python benchmarks/promises.py            # 200 runs of each
    python benchmarks/promises.py 1000

The last column is what the processor's store of keys prevents: messages whose batch reached it again after, or while, it had its
effect. A processor without such a store answers each of them once more.
"""

import sys
from collections import Counter
from typing import Any

from engine.verification.facts import Facts
from scenarios.batch import Plan, run_batch

SCENARIOS = (
    "restart_data_lost",
    "eviction",
    "processor_too_slow",
    "fault_reply_lost",
    "fault_crash",
    "fault_processor_failure",
)


def measured(scenario: str, runs: int) -> Counter[str]:
    """Messages by what became of them, over so many runs."""
    counts: Counter[str] = Counter()

    def observe(history: list[dict[str, Any]]) -> None:
        facts = Facts(history)
        if not facts.complete:
            counts["undecided"] += 1
            return
        messages = list(facts.messages.values())
        counts["accepted"] += sum(each.accepted is not None for each in messages)
        counts["lost"] += len(facts.lost)
        counts["doubled"] += sum(len(each.effects) > 1 for each in messages)
        counts["dead"] += sum(bool(each.dead_letters) and not each.effects for each in messages)
        counts["again"] += _reached_again(history)

    run_batch(Plan(strategy="lease", scenario=scenario, policy="timed", seed=0), 0, runs, observe)
    return counts


def _reached_again(history: list[dict[str, Any]]) -> int:
    """Messages whose batch reached the processor again after, or while, it had its effect."""
    of_key = {event["key"]: len(event["messages"]) for event in history if event["event"] == "handover.effect"}
    again = {event["key"] for event in history if event["event"] in ("handover.repeated", "handover.joined")}
    return sum(of_key.get(key, 0) for key in again)


def main() -> None:
    """Print the table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print("| scenario | accepted | lost | doubled | dead letters | doubled without a store |")
    print("|---|---|---|---|---|---|")
    for scenario in SCENARIOS:
        counts = measured(scenario, runs)
        row = [f"{counts[name]:,}" for name in ("accepted", "lost", "doubled", "dead", "again")]
        undecided = f" ({counts['undecided']} runs undecided)" if counts["undecided"] else ""
        print(f"| `{scenario}`{undecided} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
