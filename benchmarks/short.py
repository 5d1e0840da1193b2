"""All benchmarks that measure ratios, in their short form: what `make bench` runs. One result file, one line each ratio.

    python -m benchmarks.short                          # writes .bufferproof/bench.json
    python -m benchmarks.short --only overhead --only memory

Each is a process of its own, and its long form is its own command: `python -m benchmarks.NAME --help`. The file names the command
of each. One that fails is said and left out, and the exit status is then 1.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import Ratio, digits, shown
from scenarios.trace import versions

SHORT: dict[str, str] = {
    "overhead": "--strategy lease --runs 15 --rounds 5",
    "peers": "--rounds 3 --runs 100 --seeds 10 --cap 20",
    "scale": "--rounds 3 --most 100",
    "memory": "--runs 1000 2000 4000",
    "find": "--bug planted_new_key_on_retry --bug planted_two_in_flight --bug planted_marker_expires --seeds 3 --cap 300",
    "campaign": "--runs 1500 --repeats 1",
}


def main() -> int:
    """Run them and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(SHORT), metavar="NAME", help="repeatable")
    parser.add_argument("--out", type=Path, default=Path(".bufferproof"), metavar="FOLDER")
    options = parser.parse_args()
    figures: dict[str, Mapping[str, Ratio]] = {}
    commands: dict[str, str] = {}
    for name in options.only or SHORT:
        arguments = shlex.split(SHORT[name])
        document = run(name, arguments)
        if document is None:
            continue
        figures[name] = ratios_of(document)
        commands[name] = shlex.join(["python", "-m", f"benchmarks.{name}", *arguments])
        for what, ratio in figures[name].items():
            print(f"{name}: {what}: {shown(ratio) if isinstance(ratio, Mapping) else f'{ratio:g}'}", flush=True)
    failed = [name for name in options.only or SHORT if name not in figures]
    document = {"schema": 1, "kind": "bench", "name": "short", "command": "make bench", "versions": versions()}
    document |= {"commands": commands, "figures": figures}
    options.out.mkdir(parents=True, exist_ok=True)
    target = options.out / "bench.json"
    target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(
        f"{sum(map(len, figures.values()))} ratios in {target}" + (f"; failed: {', '.join(failed)}" if failed else "")
    )
    return 1 if failed else 0


def run(name: str, arguments: list[str]) -> dict[str, Any] | None:
    """The result document of one benchmark; None if it failed. What it says beside it goes to the error output."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "result.json"
        line = [sys.executable, "-m", f"benchmarks.{name}", *arguments, "--json", str(target)]
        done = subprocess.run(line, stdout=subprocess.DEVNULL, check=False)
        if done.returncode or not target.is_file():
            print(f"{name} failed with status {done.returncode}: {shlex.join(line)}", file=sys.stderr)
            return None
        document: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
        return document


def ratios_of(document: dict[str, Any]) -> Mapping[str, Ratio]:
    """The ratios of a document, whatever its kind."""
    if document["kind"] != "find":
        found: Mapping[str, Ratio] = document["figures" if document["kind"] == "bench" else "ratios"]
        return found
    medians = {(each["bug"], each["policy"]): each["median_runs"] for each in document["rows"]}
    return {
        f"median runs to find {bug}, portfolio over random": digits(runs / medians[bug, "random"])
        for (bug, policy), runs in medians.items()
        if policy == "portfolio"
    }


if __name__ == "__main__":
    raise SystemExit(main())
