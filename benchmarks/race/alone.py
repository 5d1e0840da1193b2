"""The program without any tool: its four commands, one after the other, on fakeredis' own asynchronous client.

It searches nothing and finds nothing. It says what redis-py and fakeredis cost by themselves: with one server and two clients for all
runs, which is the least there can be, and with a new server and new clients for each run.
"""

import asyncio

import fakeredis

from benchmarks.race.worker import append


class NewClients:
    """A server and two clients for each run."""

    def rate(self, runs: int) -> int:
        """Make so many runs; how many were made."""
        asyncio.run(self._run(runs))
        return runs

    async def _run(self, runs: int) -> None:
        for _ in range(runs):
            await in_turn(*new())


class SameClients(NewClients):
    """One server, emptied, and two clients for all runs."""

    async def _run(self, runs: int) -> None:
        server, *clients = new()
        for _ in range(runs):
            server.dbs[0]._dict.clear()
            await in_turn(server, *clients)


def new() -> tuple[fakeredis.FakeServer, fakeredis.FakeAsyncRedis, fakeredis.FakeAsyncRedis]:
    """A server and two clients of it."""
    server = fakeredis.FakeServer(version=(7, 2), server_type="redis")
    return server, fakeredis.FakeAsyncRedis(server=server), fakeredis.FakeAsyncRedis(server=server)


async def in_turn(_: fakeredis.FakeServer, one: fakeredis.FakeAsyncRedis, other: fakeredis.FakeAsyncRedis) -> None:
    """Both functions, the second one after the first."""
    await append(one, b"a")
    await append(other, b"b")


WAYS = {"the commands alone": SameClients, "the commands alone, new clients": NewClients}
