"""The race under simloom: redis-py's own client over its simulated network and its stand-in for Redis."""

import asyncio

import redis.asyncio
import simloom

from benchmarks.race.worker import KEY, RIGHT, append


async def main(world: simloom.World) -> bool:
    """One run: whether an update was lost."""
    service = simloom.SimRedis()
    await world.run_service(service, host="redis", port=6379)
    clients = [redis.asyncio.Redis(host="redis", port=6379, protocol=2, single_connection_client=True) for _ in "ab"]
    await asyncio.gather(*(append(client, letter) for client, letter in zip(clients, (b"a", b"b"), strict=True)))
    for client in clients:
        await client.aclose()
    return service._store.get(KEY) not in RIGHT


class Random:
    """Its seeded scheduler."""

    def rate(self, runs: int) -> int:
        """Make so many runs; how many were made."""
        for seed in range(runs):
            simloom.run(main, seed=seed, on_unhandled="record")
        return runs

    def find(self, seed: int, cap: int) -> int | None:
        """How many runs until an update is lost."""
        for number in range(cap):
            if simloom.run(main, seed=seed * 1_000_000 + number, on_unhandled="record").value:
                return number + 1
        return None


WAYS = {"simloom, random": Random}
