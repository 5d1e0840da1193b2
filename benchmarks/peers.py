"""One race, here and under other tools, side by side: runs a second, and runs until it is found.

    python -m benchmarks.peers
    python -m benchmarks.peers --rounds 9 --seeds 50 --json .bufferproof/peers.json

Two functions GET one key, append a letter, and SET it: `benchmarks/race/`. Every tool has a process of its own, of this same
interpreter; in each round every process makes its runs in turn, and times a loop that only counts just after them. CPU time,
of all threads of the process; a server's is not counted. Ratios are of one round; the median, the least and the most are shown.

frontrun and simloom are no dependencies of this project. An environment with both, to be thrown away (simloom needs Python 3.12):

    python3.12 -m venv .bufferproof/peers
    .bufferproof/peers/bin/pip install -c constraints.txt -e '.[simulation,load]' frontrun simloom
    .bufferproof/peers/bin/python -m benchmarks.peers

Two ways are no tools: the same commands one after the other, with no choice, no connection and no history. No tool that lets redis-py
and fakeredis do the work can be faster than they are with clients that are already there.

What is not the same in all: bufferproof and simloom run redis-py's own client over a simulated connection, and keep a history or a
log of each run. Under frontrun a client either is fakeredis' own, which has no connection, or talks to a server on loopback.
"""

import argparse
import importlib.util
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Ratio, digits, shown, spread, write
from engine.load.server import embedded_server

OURS = "bufferproof, random"
ALONE = "the commands alone"
#: Every way: the module of `benchmarks.race`, the package that it needs, and the runs of a round for each of ours.
WAYS = {
    OURS: ("ours", "engine", 1.0),
    "bufferproof, dpor": ("ours", "engine", 1.0),
    ALONE: ("alone", "engine", 1.0),
    f"{ALONE}, new clients": ("alone", "engine", 1.0),
    "simloom, random": ("in_simloom", "simloom", 0.2),
    "frontrun, random": ("in_frontrun", "frontrun", 0.4),
    "frontrun, dpor": ("in_frontrun", "frontrun", 0.1),
    "frontrun, random, on a server": ("in_frontrun", "frontrun", 0.1),
    "frontrun, dpor, on a server": ("in_frontrun", "frontrun", 0.1),
    "frontrun, random, threads": ("in_frontrun", "frontrun", 0.05),
    "frontrun, dpor, threads": ("in_frontrun", "frontrun", 0.05),
}
#: A way that takes longer for an answer is left out, and that is said.
PATIENCE_SECONDS = 120
GET_THEM = (
    "python3.12 -m venv .bufferproof/peers && .bufferproof/peers/bin/pip install -c constraints.txt"
    " -e '.[simulation,load]' frontrun simloom, then .bufferproof/peers/bin/python -m benchmarks.peers"
)


class Worker:
    """The process of one way."""

    def __init__(self, name: str, url: str) -> None:
        module, package, self.share = WAYS[name]
        self.name = name
        line = [sys.executable, "-m", "benchmarks.race.worker", module, name]
        if package == "frontrun":  # its command, which preloads what watches sockets
            line = [str(Path(sys.executable).with_name("frontrun")), *line]
        self._process = subprocess.Popen(
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"RACE_REDIS_URL": url},
            start_new_session=True,
        )
        self._given_up = False

    def ask(self, **wanted: int) -> dict[str, Any]:
        """Let it make runs. Raises `RuntimeError` with its last words if it does not answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        patience = threading.Timer(PATIENCE_SECONDS, self._give_up)
        patience.start()
        try:
            self._process.stdin.write(json.dumps(wanted) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            patience.cancel()
        if not line:
            words = self._process.communicate()[1].strip().splitlines()
            raise RuntimeError(words[-1] if words and not self._given_up else f"no answer within {PATIENCE_SECONDS} s")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def rate(self, runs: int) -> tuple[float, float]:
        """Runs a second of CPU time, and runs in the time of a million steps of a loop that only counts, just after them."""
        answer = self.ask(rate=max(2, round(runs * self.share)))
        rate = answer["runs"] / answer["cpu_seconds"]
        return rate, rate * 1e6 / answer["loop_steps_per_s"]

    def close(self) -> None:
        """End it."""
        self._kill()
        self._process.communicate()

    def _give_up(self) -> None:
        self._given_up = True
        self._kill()

    def _kill(self) -> None:
        """End what frontrun's command has started, too: it would hold the pipes open."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def installed(name: str) -> bool:
    """Whether what a way needs is there."""
    package = WAYS[name][1]
    return importlib.util.find_spec(package) is not None and (
        package != "frontrun" or shutil.which("frontrun", path=str(Path(sys.executable).parent)) is not None
    )


@contextmanager
def workers(names: list[str]) -> Iterator[list[Worker]]:
    """A process for each way that answers."""
    with ExitStack() as stack:
        url = stack.enter_context(embedded_server()).url
        able = []
        for name in names:
            worker = Worker(name, url)
            stack.callback(worker.close)
            try:
                worker.ask(rate=2)
            except RuntimeError as error:
                left_out(name, error)
            else:
                able.append(worker)
        yield able


def left_out(name: str, why: RuntimeError) -> None:
    """Say that a way is not in the table."""
    print(f"{name} is left out: {why}", file=sys.stderr)


def measure(able: list[Worker], options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Rates round by round, and how many runs each seed took. A way that hangs on the way is left out of all that follows."""
    rates: dict[str, list[float]] = {worker.name: [] for worker in able}
    by_loop: dict[str, list[float]] = {worker.name: [] for worker in able}
    hung: set[str] = set()
    for _ in range(options.rounds):
        for worker in able:
            if worker.name in hung:
                continue
            try:
                rate, of_loop = worker.rate(options.runs)
            except RuntimeError as error:
                if worker.name == OURS:
                    raise
                left_out(worker.name, error)
                hung.add(worker.name)
                continue
            rates[worker.name].append(rate)
            by_loop[worker.name].append(of_loop)
    figures: dict[str, dict[str, Any]] = {}
    for worker in able:
        name = worker.name
        if name in hung:
            continue
        try:
            searches = range(0 if name.startswith(ALONE) else options.seeds)
            found = [worker.ask(find=seed, cap=options.cap)["found"] for seed in searches]
        except RuntimeError as error:
            left_out(name, error)
            continue
        figures[name] = {
            "runs_per_cpu_s": spread(rates[name]),
            "runs_per_million_loop_steps": spread(by_loop[name]),
            "ours_over_it": spread(ours / its for ours, its in zip(rates[OURS], rates[name], strict=True)),
            "found_after": [runs for runs in found if runs is not None],
            "not_found": found.count(None),
        }
    return figures


def table(figures: dict[str, dict[str, Any]], cap: int) -> Table:
    """What was measured, a line for each way."""
    made = Table(
        "way", "runs/s of CPU", "per 1M loop steps", "bufferproof, random over it", "runs until found", "not found"
    )
    for name, its in figures.items():
        found = its["found_after"]
        made.add_row(
            name,
            f"{its['runs_per_cpu_s']['median']:.0f}",
            shown(its["runs_per_million_loop_steps"]),
            "" if name == OURS else f"{shown(its['ours_over_it'])} ×",
            f"{statistics.median(found):g} (at most {max(found)})" if found else "-",
            f"{its['not_found']} of {its['not_found'] + len(found)} in {cap} runs" if its["not_found"] else "",
        )
    return made


def ratios_of(figures: dict[str, dict[str, Any]]) -> dict[str, Ratio]:
    """The ratios of the result file."""
    ratios: dict[str, Ratio] = {
        f"{OURS}: runs for a million steps of a loop that counts": figures[OURS]["runs_per_million_loop_steps"]
    }
    for name, its in figures.items():
        if name != OURS:
            ratios[f"runs/s of {OURS}, over {name}"] = its["ours_over_it"]
        if its["found_after"]:
            ratios[f"{name}: runs until the race is found"] = spread(its["found_after"])
        if its["not_found"]:
            searches = its["not_found"] + len(its["found_after"])
            ratios[f"{name}: share of searches that did not find it"] = digits(its["not_found"] / searches)
    return ratios


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=200, help="runs of a round here; slower ways make fewer")
    parser.add_argument("--seeds", type=int, default=20, help="searches for the race")
    parser.add_argument("--cap", type=int, default=50, help="runs of a search until it is given up")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    for package in dict.fromkeys(package for _, package, _ in WAYS.values()):
        if importlib.util.find_spec(package) is None:
            print(f"{package} is not installed here, and is left out: {GET_THEM}", file=sys.stderr)
    with workers([name for name in WAYS if installed(name)]) as able:
        figures = measure(able, options)
    Console(width=None if sys.stdout.isatty() else 150).print(table(figures, options.cap))
    write(options.json, "peers", ratios_of(figures), figures)


if __name__ == "__main__":
    main()
