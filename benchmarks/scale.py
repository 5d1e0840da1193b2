"""How the cost of a run grows with messages, conversations and functions: ratios, side by side.

    python -m benchmarks.scale
    python -m benchmarks.scale --most 1000 --rounds 5 --json .bufferproof/scale.json

Timed runs of `lease`, judged. Each size is a multiple of the smallest one, round by round; "each" is that divided by how many
times as many there are: 1 means that the cost is in proportion, below 1 that much of a run costs the same whatever its size.
What a second process brings is `benchmarks/campaign.py`.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Ratio, shown, spread, write
from engine.simulation.case import Case, Sending
from engine.verification import judge
from scenarios.running import run_case, scheduler_of
from scenarios.selection import find_strategy

#: Messages come within the window of one batch.
WITHIN_MS = 6_000
#: A size is run again until it has taken so long in a round, and at least once.
ROUND_SECONDS = 0.3


def sending(number: int, at_ms: int, person: int = 0) -> Sending:
    """One message."""
    return Sending(
        at_ms=at_ms, user_phone=f"49{person:08d}", message_id=f"id-{number}", text="hello", label=f"m{number}"
    )


def of_messages(count: int) -> Case:
    """So many messages of one conversation, all in one window."""
    return Case(sendings=tuple(sending(n, n * WITHIN_MS // count) for n in range(count)), settings={"SHARDS": 2})


def of_conversations(count: int) -> Case:
    """One message of each of so many people, within ten seconds."""
    return Case(sendings=tuple(sending(n, n * 10_000 // count, n) for n in range(count)), settings={"SHARDS": 2})


def of_functions(count: int) -> Case:
    """Three messages, and so many live functions, each of which sweeps."""
    return Case(sendings=tuple(sending(n, 1_000 * n) for n in range(3)), functions=count, settings={"SHARDS": 2})


def sizes(axis: Sequence[int], most: int) -> list[int]:
    """The sizes of an axis, up to the most."""
    return [size for size in axis if size <= most]


AXES: dict[str, tuple[Callable[[int], Case], Sequence[int]]] = {
    "messages of one conversation": (of_messages, (2, 4, 8, 16, 32, 64)),
    "conversations": (of_conversations, (1, 10, 100, 1_000)),
    "functions": (of_functions, (1, 2, 4, 8, 16)),
}


class Size:
    """Runs of one size."""

    def __init__(self, case: Case, strategy: str) -> None:
        self._case, self._strategy = case, find_strategy(strategy)
        self.bounds: set[str] = set()
        self.commands = 0

    def run(self, number: int) -> None:
        """One run, judged."""
        run = run_case(self._case, self._strategy, scheduler_of("timed", "scale", number))
        judge(run.history)
        self.commands = run.commands
        if run.history[-1].get("bound"):
            self.bounds.add(run.history[-1]["bound"])

    def seconds(self) -> float:
        """CPU seconds of a run: the same runs in each round."""
        started, number = time.process_time(), 0
        while number == 0 or time.process_time() - started < ROUND_SECONDS:
            self.run(number % 20)
            number += 1
        return (time.process_time() - started) / number


def measure(case_of: Callable[[int], Case], these: Sequence[int], strategy: str, count: int) -> dict[int, Any]:
    """The ratios of each size to the smallest."""
    runs = {size: Size(case_of(size), strategy) for size in these}
    runs[these[0]].seconds()  # warm
    seconds: dict[int, list[float]] = {size: [] for size in these}
    for _ in range(count):
        for size in these:
            seconds[size].append(runs[size].seconds())
    found = {}
    for size in these:
        times = [a / b for a, b in zip(seconds[size], seconds[these[0]], strict=True)]
        more = size / these[0]
        found[size] = {
            "cost": spread(times),
            "each": spread(t / more for t in times),
            "commands": runs[size].commands,
            "bounds": sorted(runs[size].bounds),
        }
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategy", default="lease")
    parser.add_argument("--most", type=int, default=100, metavar="N", help="no size above this one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    ratios: dict[str, Ratio] = {}
    figures: dict[str, Any] = {}
    for name, (case_of, axis) in AXES.items():
        these = sizes(axis, options.most)
        figures[name] = measure(case_of, these, options.strategy, options.rounds)
        print(f"{options.strategy}, {name}: cost of a run as a multiple of {these[0]}; and of each")
        for size, its in figures[name].items():
            stopped = f"  (stopped: {', '.join(its['bounds'])})" if its["bounds"] else ""
            print(f"  {size:>5}  {shown(its['cost']):>28}   each {its['each']['median']:.2f}{stopped}", flush=True)
            if size != these[0]:
                ratios[f"{options.strategy}: a run of {size} {name}, over {these[0]}"] = its["cost"]
    write(options.json, "scale", ratios, figures)


if __name__ == "__main__":
    main()
