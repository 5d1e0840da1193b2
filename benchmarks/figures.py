"""What the benchmarks share: ratios side by side in interleaved rounds, and one JSON object of figures."""

import gc
import json
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scenarios.trace import versions

Ratio = Mapping[str, float] | float
"""How many times as much: the median, the least and the most of the rounds, or one number."""


def rounds(ways: Mapping[str, Callable[[], object]], count: int) -> dict[str, list[float]]:
    """CPU seconds of each way in each of `count` rounds, one after the other in every round; a round before is not counted.

    Side by side in one process, because on a shared machine an absolute time says little and a ratio within a round much.
    """
    for way in ways.values():
        way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(count):
        for name, way in ways.items():
            gc.collect()
            started = time.process_time()
            way()
            seconds[name].append(time.process_time() - started)
    return seconds


def ratio(seconds: Mapping[str, list[float]], name: str, to: str) -> dict[str, float]:
    """How many times as long as another way, round by round: the median, the least and the most."""
    return spread(a / b for a, b in zip(seconds[name], seconds[to], strict=True))


def spread(values: Any) -> dict[str, float]:
    """The median, the least and the most, to four digits."""
    each = sorted(values)
    return {"median": digits(statistics.median(each)), "min": digits(each[0]), "max": digits(each[-1])}


def digits(value: float) -> float:
    """A number with four digits that say something."""
    return float(f"{value:.4g}")


def shown(figure: Mapping[str, float]) -> str:
    """A ratio as text: `1.43 (1.40 to 1.49)`."""
    return f"{figure['median']:.2f} ({figure['min']:.2f} to {figure['max']:.2f})"


def command(benchmark: str) -> str:
    """The command line of this process, as one would type it, without the file that it writes."""
    arguments = sys.argv[1:]
    if "--json" in arguments:
        place = arguments.index("--json")
        del arguments[place : place + 2]
    return shlex.join(["python", "-m", f"benchmarks.{benchmark}", *arguments])


def write(
    path: Path | None, benchmark: str, ratios: Mapping[str, Ratio], details: Mapping[str, Any] | None = None
) -> None:
    """Write a result file of the kind `bench`, if a path is given: ratios by what they are, and what they were made from."""
    if path is None:
        return
    document = {
        "schema": 1,
        "kind": "bench",
        "name": benchmark,
        "command": command(benchmark),
        "versions": versions(),
        "figures": dict(ratios),
        "details": dict(details or {}),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
