"""The race in bufferproof: two functions with redis-py's own client, over the simulated network and server."""

import redis.asyncio

from benchmarks.race.worker import RIGHT, append
from engine.exploration import Abandoned, Dpor, RandomWalk, Scheduler
from engine.simulation.program import Program


async def first(client: "redis.asyncio.Redis") -> None:
    """One function."""
    await append(client, b"a")


async def second(client: "redis.asyncio.Redis") -> None:
    """The other one."""
    await append(client, b"b")


def lost(scheduler: Scheduler, hop_ms: tuple[int, int] = (1, 600)) -> bool:
    """One run, with its whole history recorded: whether an update was lost."""
    program = Program([first, second], scheduler, hop_ms=hop_ms)
    program.run()
    return (program.value("key") or "").encode() not in RIGHT


class Random:
    """The policy `random`: any pending step; hops that are held to later instants."""

    def rate(self, runs: int) -> int:
        """Make so many runs; how many were made."""
        scheduler = RandomWalk("rate")
        for number in range(runs):
            scheduler.new_run(number)
            lost(scheduler)
        return runs

    def find(self, seed: int, cap: int) -> int | None:
        """How many runs until an update is lost."""
        scheduler = RandomWalk(str(seed))
        for number in range(cap):
            scheduler.new_run(number)
            if lost(scheduler):
                return number + 1
        return None


class Search:
    """The policy `dpor`: one run of each class of interleavings; hops take no time."""

    def rate(self, runs: int) -> int:
        """Whole searches, until so many runs are made; how many were made."""
        made = 0
        while made < runs:
            made += len(self._search())
        return made

    def find(self, seed: int, cap: int) -> int | None:
        """How many runs until an update is lost: no seed has a part in it."""
        found = self._search()
        return found.index(True) + 1 if True in found else None

    def _search(self) -> list[bool]:
        walk, found = Dpor(), []
        while walk.new_run(walk.runs):
            try:
                found.append(lost(walk, (0, 0)))
            except Abandoned:
                found.append(False)
        return found


WAYS = {"bufferproof, random": Random, "bufferproof, dpor": Search}
