r"""Which fault breaks which invariant of the plan's designs, with the smallest run for each: the table of docs/faults.md.

    bufferproof verify --strategy lock --strategy lua --runs 60 --fault-budget 1 --out .bufferproof/faults \
        --scenario fault_stall --scenario fault_request_lost …     # all scenarios named fault_…
    python benchmarks/fault_table.py .bufferproof/faults > docs/faults.md

A violation counts for a fault if the shrunk counterexample still needs it: shrinking takes away every fault without which the same
violation stays.
"""

import json
import sys
from pathlib import Path
from typing import Any

from scenarios.exceptions import count_of

DESIGNS = ("lock", "lua")
#: A loss is late as well, so `timely` would repeat each line of `no_loss`.
LEFT_OUT = {"timely"}
CLAUSES_MAX = 4

HEAD = """# Which fault breaks what

For each kind of fault and each of the plan's designs: the invariants that a run with one such fault violates, and the smallest
run found for each. It differs from the plain course of things (each step in its turn, no fault) in nothing but what stands in the
cell; the word in brackets is the named race. What a design violates without any fault as well, by the same race, is left out, as
is `timely`, which every loss violates. `lease` and `fenced_lock` violate nothing under any of these
(`bufferproof verify --strategy lease --strategy fenced_lock --fault all`).

    bufferproof verify --strategy lock --strategy lua --runs 60 --fault-budget 1 --out .bufferproof/faults --scenario fault_stall …
    python benchmarks/fault_table.py .bufferproof/faults

"…" are all scenarios whose names begin with `fault_`. Each violation has its trace there, which `bufferproof replay` shows step by
step. An empty cell means that none was found in these runs, not that there is none.
"""


def main(folder: Path) -> None:
    """Print the page."""
    traces = [json.loads(path.read_text("utf-8")) for path in sorted((folder / "traces").glob("*.json"))]
    kinds = dict.fromkeys(trace["case"]["scenario"].removeprefix("fault_") for trace in traces)
    print(HEAD)
    print(f"| fault | {' | '.join(f'`{design}`' for design in DESIGNS)} |")
    print("|---|" + "---|" * len(DESIGNS))
    for kind in kinds:
        print(f"| {kind.replace('_', ' ')} | {' | '.join(_cell(traces, design, kind) for design in DESIGNS)} |")


def _cell(traces: list[dict[str, Any]], design: str, kind: str) -> str:
    smallest: dict[str, tuple[int, int, str]] = {}
    for trace in traces:
        invariant = trace["violation"]["invariant"]
        struck = {event["kind"] for event in trace["history"] if event["event"] == "fault"}
        if trace["strategy"] != design or kind not in struck or invariant in LEFT_OUT:
            continue
        clauses = trace["exceptions"]
        race = trace["violation"]["cause"]
        count = count_of(clauses)
        told = "; ".join(clauses) if count <= CLAUSES_MAX else f"this fault among {count} deviations"
        text = f"**{invariant}**{f' ({race})' if race else ''}: {told}"
        found = (count, len(trace["history"]), text)
        smallest[invariant] = min(found, smallest.get(invariant, found))
    return "<br>".join(text for _, _, text in smallest.values())


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1], "traces").is_dir():
        sys.exit("give the folder of a `bufferproof verify --out`, which has the folder traces")
    main(Path(sys.argv[1]))
