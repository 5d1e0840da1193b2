"""The conformance machine for long: the simulation's server against a real one, until so many steps are done.

    python -m benchmarks.conformance [--steps 20000] [--seed 0] [--redis-url URL] [--out .bufferproof]

Writes `conformance.json` (kind `conformance`): steps, commands by name and script, the known differences that were met and how
often. Ends with 1 at a difference that is in no table, and says which step showed it. The server is emptied: give one for tests.
"""

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path

import redis
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from engine.load.server import embedded_server
from scenarios.trace import versions
from tests.integration.conformance.machine import Machine
from tests.integration.conformance.stepping import Tally

EXAMPLES_A_ROUND = 25
STEPS_AN_EXAMPLE = 40


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--redis-url", help="a server for tests, which is emptied (default: an embedded one)")
    parser.add_argument("--out", type=Path, default=Path(".bufferproof"))
    options = parser.parse_args()
    with ExitStack() as stack:
        url = options.redis_url or stack.enter_context(embedded_server()).url
        tally, unequal = run(url, options.steps, options.seed)
        with redis.Redis.from_url(url) as client:
            info = client.info("server")
    document = {
        "schema": 1,
        "kind": "conformance",
        "command": f"python -m benchmarks.conformance --steps {options.steps} --seed {options.seed}",
        "seed": options.seed,
        "versions": versions()
        | {"server": f"{info.get('server_name', 'redis')} {info.get('valkey_version', info['redis_version'])}"},
        "steps": tally.steps,
        "discarded": tally.discarded,
        "waits": tally.waits,
        "commands": dict(sorted(tally.commands.items())),
        "known_differences_met": dict(sorted(tally.comparison.met.items())),
        "unknown_difference": unequal,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "conformance.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document, indent=1))
    return 1 if unequal else 0


def run(url: str, steps: int, first_seed: int) -> tuple[Tally, str | None]:
    """Rounds of examples, each from a seed of its own, until enough steps are done or something is unequal."""
    tally = Tally()
    machine = type("ConformanceMachine", (Machine,), {"url": url, "tally": tally})
    round_seed = first_seed
    profile = settings(
        max_examples=EXAMPLES_A_ROUND,
        stateful_step_count=STEPS_AN_EXAMPLE,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # what is found depends on the clock of the server: the step is named, not shrunk
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    while tally.steps < steps:
        try:
            run_state_machine_as_test(seed(round_seed)(machine), settings=profile)
        except Exception as error:
            return tally, tally.unequal or f"{type(error).__name__}: {error}"
        round_seed += 1
        print(f"{tally.steps:,} steps, {tally.discarded} discarded", file=sys.stderr, flush=True)
    return tally, None


if __name__ == "__main__":
    raise SystemExit(main())
