"""A process that makes runs of the race with one tool, as it is told to by lines of its standard input.

    python -m benchmarks.race.worker in_frontrun 'frontrun, random'

The race: two functions each GET one key, append a letter, and SET it. If neither sees the other's letter, one is lost.
A line is a JSON object: `{"rate": runs}` or `{"find": seed, "cap": runs}`. So is each answer; CPU seconds are of all threads.
"""

import contextlib
import importlib
import json
import os
import sys
import time
from typing import Any

KEY = b"key"
#: What the key holds when no update was lost.
RIGHT = (b"ab", b"ba")


#: Of the loop that says what the machine is worth at the moment.
LOOP_STEPS = 1_000_000


async def append(client: Any, letter: bytes) -> None:
    """What each function does, with a client of `redis.asyncio` or one like it."""
    await client.set(KEY, (await client.get(KEY) or b"") + letter)


def loop_steps_per_s() -> float:
    """Steps a second of CPU time of a loop that only counts."""
    number, started = 0, time.process_time()
    while number < LOOP_STEPS:
        number += 1
    return LOOP_STEPS / (time.process_time() - started)


def main() -> None:
    """Answer line by line."""
    module, name = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a tool prints is no answer
    way = importlib.import_module(f"benchmarks.race.{module}").WAYS[name]()
    for line in sys.stdin:
        wanted = json.loads(line)
        answer: dict[str, Any] = {}
        started = time.process_time()
        with contextlib.redirect_stdout(sys.stderr):
            if "rate" in wanted:
                answer["runs"] = way.rate(wanted["rate"])
            else:
                answer["found"] = way.find(wanted["find"], wanted["cap"])
        answer["cpu_seconds"] = time.process_time() - started
        answer["loop_steps_per_s"] = loop_steps_per_s()
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
