"""`--check-determinism`: what depends on a hash seed, or on the runs before it, is found and named."""

from pathlib import Path

import pytest

import scenarios

STRATEGIES = """
import string

from engine.buffer import Receipt, Strategy


class BySetOrder(Strategy):
    async def receive(self, message):
        print("what a strategy prints is no answer")
        for key in {"a", "b", "c", "d", "e", "f"}:
            await self.runtime.redis.set(key, "1")
        return Receipt()


class ByEarlierRuns(Strategy):
    async def receive(self, message):
        # A global of its own would be its function's memory; what it leaves in a library is nobody's.
        earlier = vars(string).setdefault("earlier", [])
        earlier.append(message)
        await self.runtime.redis.set("count", len(earlier))
        return Receipt()


class Repeatable(Strategy):
    async def receive(self, message):
        await self.runtime.redis.set("key", message.text)
        return Receipt()
"""


@pytest.mark.slow
def test_what_is_not_repeated_is_named_and_the_rest_is_said_to_be_the_same(tmp_path: Path) -> None:
    file = tmp_path / "strategies.py"
    file.write_text(STRATEGIES, encoding="utf-8")
    told: list[str] = []
    done: list[tuple[int, int]] = []
    problems = scenarios.check_determinism(
        strategies=[f"{file}:{name}" for name in ("BySetOrder", "ByEarlierRuns", "Repeatable")],
        scenario_names=["boundary"],
        explore="timed",
        runs=30,  # more than a batch: the second process has made others before it
        told=told.append,
        progress=lambda label, at, total: done.append((at, total)),
    )
    by_order, by_earlier = problems
    assert ":BySetOrder · boundary · run 0: event " in by_order
    assert '"SET"' in by_order.partition(" against ")[2]
    assert ":ByEarlierRuns · boundary · run 0: " in by_earlier
    assert by_earlier.endswith("it differs only after other runs: something outlives a run in its process")
    (line,) = told
    assert line.endswith(":Repeatable · boundary: 30 runs gave the same history twice")
    assert done[-1] == (90, 90)
