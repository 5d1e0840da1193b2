"""Every known race of the plan's designs, found in the simulation and run again on a real server, as a table.

    python -m benchmarks.races_on_server [--redis-url URL] [--runs N]

Ends with 1 if a race that the simulation finds does not show on the server, else with 0.
"""

import argparse
from contextlib import ExitStack

from engine.load.server import embedded_server
from engine.simulation.real_server import RealServer
from scenarios.on_server import RaceOnServer, known_races, race_on_server

DESIGNS = ("baseline", "lock", "lua")


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redis-url", help="an empty server (default: an embedded one)")
    parser.add_argument("--runs", type=int, default=150, help="runs of a scenario until a race counts as not found")
    options = parser.parse_args()
    with ExitStack() as stack:
        server = RealServer(options.redis_url or stack.enter_context(embedded_server()).url)
        try:
            print(f"On {server.version}, {options.runs} runs a scenario at most, seed 0:\n")
            return table(server, options.runs)
        finally:
            server.close()


def table(server: RealServer, runs: int) -> int:
    """Print a row for each race of each design."""
    print("| design | race | shows on the server | found in | commands |")
    print("|---|---|---|---|---|")
    shown, missed = 0, 0
    for (strategy, race), scenarios in sorted(known_races(DESIGNS).items()):
        found = race_on_server(strategy, race, scenarios, server, runs=runs)
        shown += found is not None and found.shows
        missed += found is not None and not found.shows
        print(row(strategy, race, found), flush=True)
    print(f"\n{shown} show on the server, {missed} do not.")
    return 1 if missed else 0


def row(strategy: str, race: str, found: RaceOnServer | None) -> str:
    """A row of the table."""
    if found is None:
        return f"| `{strategy}` | `{race}` | (not found in the simulation) | | |"
    return f"| `{strategy}` | `{race}` | {'yes' if found.shows else 'NO'} | `{found.scenario}`, run {found.run} | {found.detail} |"


if __name__ == "__main__":
    raise SystemExit(main())
