"""Making the result files: the cells of all measurements over all cores, one document a kind."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.buffer.errors import UsageError, choices
from engine.buffer.files import write_whole
from scenarios.measure import boundary, cost, faults, risk, steps
from scenarios.measure.parallel import Progress, in_order
from scenarios.measure.profile import Profile
from scenarios.pool import pool_of
from scenarios.trace import SCHEMA, versions

#: What can be measured, by the kind of the file that it writes.
MEASUREMENTS: Mapping[str, ModuleType] = {module.NAME: module for module in (boundary, steps, faults, cost, risk)}


def measure(
    names: Sequence[str] | None = None,
    runs: int | None = None,
    seed: int = 0,
    jobs: int | None = None,
    profile: Profile | None = None,
    few: bool = False,
    out: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, dict[str, Any]]:
    """Measure (None: everything) and, with `out`, write `KIND.json` there. Returns the documents by kind.

    `runs` is a cell's number of runs (None: each measurement's own, with `few` the small one that makes a report in
    about two minutes). Raises `UsageError` for a name that there is not.
    """
    chosen = list(dict.fromkeys(names or MEASUREMENTS))
    for name in chosen:
        if name not in MEASUREMENTS:
            raise UsageError(f"unknown measurement {name}: {choices(name, MEASUREMENTS)}")
    profile = profile or Profile()
    documents = {}
    with pool_of(jobs) as pool:
        for name in chosen:
            module = MEASUREMENTS[name]
            count = runs or (module.FEW_RUNS if few else module.RUNS)
            calls = [(module.cell, item) for item in module.items(count, seed, profile)]
            rows = in_order(pool, f"measuring {name}", calls, progress)
            documents[name] = _document(name, rows, count, seed, profile)
            if out is not None:
                write_whole(out / f"{name}.json", json.dumps(documents[name], indent=1) + "\n")
    return documents


def _document(name: str, rows: list[dict[str, Any]], runs: int, seed: int, profile: Profile) -> dict[str, Any]:
    module = MEASUREMENTS[name]
    return {
        "schema": SCHEMA,
        "kind": name,
        "command": f"bufferproof measure {name} --runs {runs} --seed {seed}",
        "policy": "timed",
        "distributions": profile.distributions(),
        "profile": profile.to_json(),
        "seed": seed,
        "runs_per_cell": runs,
        **(module.document(rows, profile) if hasattr(module, "document") else {"rows": rows}),
        "versions": versions(),
    }
