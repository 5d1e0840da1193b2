"""The race under frontrun: its random and its dpor mode, for coroutines and for threads.

What a function has of Redis is either fakeredis' own client (all within the process, no connection), or redis-py's on a
server that the benchmark has started. frontrun's modes for threads need its command around the interpreter.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

import fakeredis
import frontrun
import redis
import redis.asyncio

from benchmarks.race.worker import KEY, RIGHT, append

Result = Any


class State:
    """What both functions share, fresh for each run: a server of fakeredis, and a client for each of them."""

    clients_of = fakeredis.FakeAsyncRedis

    def __init__(self) -> None:
        server = fakeredis.FakeServer(version=(7, 2), server_type="redis")
        self.clients = [self.clients_of(server=server) for _ in "ab"]
        self._database = server.dbs[0]

    def right(self) -> bool:
        """Whether no update was lost."""
        item = self._database.get(KEY)
        return item is not None and item.value in RIGHT


class ThreadState(State):
    """The same for threads."""

    clients_of = fakeredis.FakeRedis


class OnServer:
    """The same on a server, emptied of its one key."""

    def __init__(self) -> None:
        url = os.environ["RACE_REDIS_URL"]
        self._look = redis.Redis.from_url(url)
        self._look.delete(KEY)
        self.clients = [redis.asyncio.Redis.from_url(url) for _ in "ab"]

    def right(self) -> bool:
        """Whether no update was lost."""
        value = self._look.get(KEY)
        self._look.close()
        return value in RIGHT


async def first(state: Any) -> None:
    """One function."""
    await append(state.clients[0], b"a")
    await leave(state.clients[0])


async def second(state: Any) -> None:
    """The other one."""
    await append(state.clients[1], b"b")
    await leave(state.clients[1])


async def leave(client: Any) -> None:
    """Its connection ends with it, or servers would run out of them."""
    if not isinstance(client, fakeredis.FakeAsyncRedis):
        await client.aclose()


def thread(number: int, letter: bytes) -> Callable[[Any], None]:
    """A function, as a thread."""

    def body(state: Any) -> None:
        client = state.clients[number]
        client.set(KEY, (client.get(KEY) or b"") + letter)

    return body


THREADS = [thread(0, b"a"), thread(1, b"b")]


class Coroutines:
    """Random interleavings of coroutines at their awaits."""

    state: type = State

    def explore(self, invariant: Callable[[Any], bool], runs: int, seed: int) -> Result:
        """Until the invariant is broken, or so many runs are made."""
        return asyncio.run(self._explore(invariant, runs, seed))

    def _explore(self, invariant: Callable[[Any], bool], runs: int, seed: int) -> Coroutine[Any, Any, Result]:
        return frontrun.explore_async_random(
            self.state, [first, second], invariant, max_attempts=runs, seed=seed, deadlock_timeout=30.0
        )

    def rate(self, runs: int) -> int:
        """Make so many runs; how many were made."""
        made = 0
        while made < runs:  # a mode that tries each class is soon done, and begins again
            made += self.explore(looks, runs - made, 1).num_explored
        return made

    def find(self, seed: int, cap: int) -> int | None:
        """How many runs until an update is lost."""
        result = self.explore(lambda state: state.right(), cap, seed)
        return result.num_explored if result.property_holds is False else None


class CoroutineSearch(Coroutines):
    """Its dpor for coroutines."""

    def _explore(self, invariant: Callable[[Any], bool], runs: int, seed: int) -> Coroutine[Any, Any, Result]:
        return frontrun.explore(
            self.state, [first, second], invariant, max_executions=runs, reproduce_on_failure=0, deadlock_timeout=30.0
        )  # type: ignore[no-any-return]


class CoroutinesOnServer(Coroutines):
    """Random interleavings, on a server."""

    state = OnServer


class CoroutineSearchOnServer(CoroutineSearch):
    """Its dpor, on a server."""

    state = OnServer


class Threads(Coroutines):
    """Random interleavings of threads, between any two instructions."""

    state = ThreadState

    def explore(self, invariant: Callable[[Any], bool], runs: int, seed: int) -> Result:
        """Until the invariant is broken, or so many runs are made."""
        return frontrun.explore_random(
            self.state, THREADS, invariant, max_attempts=runs, seed=seed, deadlock_timeout=30.0
        )


class ThreadSearch(Threads):
    """Its dpor for threads."""

    def explore(self, invariant: Callable[[Any], bool], runs: int, seed: int) -> Result:
        """Until the invariant is broken, or so many runs are made."""
        return frontrun.explore(
            self.state, THREADS, invariant, max_executions=runs, reproduce_on_failure=0, deadlock_timeout=30.0
        )


def looks(state: Any) -> bool:
    """Looks, as an invariant would, and is never broken: so that all runs are made."""
    state.right()
    return True


WAYS = {
    "frontrun, random": Coroutines,
    "frontrun, dpor": CoroutineSearch,
    "frontrun, random, on a server": CoroutinesOnServer,
    "frontrun, dpor, on a server": CoroutineSearchOnServer,
    "frontrun, random, threads": Threads,
    "frontrun, dpor, threads": ThreadSearch,
}
