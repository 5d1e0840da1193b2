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
    each = [a / b for a, b in zip(seconds[name], seconds[to], strict=True)]
    return {"median": round(statistics.median(each), 3), "min": round(min(each), 3), "max": round(max(each), 3)}


def shown(figure: Mapping[str, float]) -> str:
    """A ratio as text: `1.43 (1.40 to 1.49)`."""
    return f"{figure['median']:.2f} ({figure['min']:.2f} to {figure['max']:.2f})"


def write(path: Path | None, name: str, figures: Mapping[str, Any]) -> None:
    """Write a result file of the kind `bench`, if a path is given."""
    if path is None:
        return
    command = shlex.join(["python", *(sys.argv if not sys.argv[0].startswith("/") else [f"benchmarks/{name}.py"])])
    document = {
        "schema": 1,
        "kind": "bench",
        "name": name,
        "command": command,
        "versions": versions(),
        "figures": dict(figures),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
