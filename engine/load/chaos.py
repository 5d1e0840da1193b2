"""Real faults under load: service processes killed, stopped and continued; the server restarted; connections cut.

Only what a design must survive: the server is one that keeps what it acknowledged (an append-only file, synced always).
"""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit, urlunsplit

from engine.load.log import Log
from engine.load.proxy import Proxy
from engine.load.server import EmbeddedServer
from engine.load.services import Services

#: Mean seconds between two faults of a kind.
KILL_EVERY, STOP_EVERY, RESTART_EVERY, CUT_EVERY = 6.0, 5.0, 15.0, 1.5
#: How long a stopped process stays stopped (least, most), and how long a killed one is not replaced.
STOPPED_SECONDS = (0.2, 3.0)
REPLACED_AFTER_SECONDS = 0.5
CUT_SHARE = 0.3


class Chaos:
    """Strikes while `strike` runs, and leaves everything healed. `server` None: no restarts, for it is not ours."""

    def __init__(self, log: Log, url: str, server: EmbeddedServer | None, seed: str) -> None:
        self._log = log
        self._url = urlsplit(url)
        self._server = server
        self._random = random.Random(seed)
        self._proxy = Proxy(self._url.hostname or "127.0.0.1", self._url.port or 6_379)
        self._counts: Counter[str] = Counter(kills=0, stops=0, restarts=0, cuts=0)

    async def start(self) -> str:
        """Put the proxy in front; returns the URL that leads through it."""
        await self._proxy.start()
        user, at, _ = self._url.netloc.rpartition("@")
        return urlunsplit(self._url._replace(netloc=f"{user}{at}127.0.0.1:{self._proxy.port}"))

    async def stop(self) -> None:
        """Take the proxy away."""
        await self._proxy.stop()

    def counts(self) -> dict[str, int]:
        """How often each kind of fault struck; `cuts` are connections."""
        return dict(self._counts)

    async def strike(self, services: Services, seconds: float) -> None:
        """Strike for so long. A short run has each kind a few times all the same."""
        async with asyncio.TaskGroup() as kinds:
            kinds.create_task(self._often(KILL_EVERY, seconds, lambda: self._kill(services)))
            kinds.create_task(self._often(STOP_EVERY, seconds, lambda: self._stop(services)))
            kinds.create_task(self._often(CUT_EVERY, seconds, self._cut))
            if self._server is not None:
                kinds.create_task(self._often(RESTART_EVERY, seconds, self._restart))

    async def _often(self, every: float, seconds: float, fault: Callable[[], Awaitable[None]]) -> None:
        every = min(every, seconds / 3)
        until = self._log.seconds() + seconds
        while True:
            wait = self._random.uniform(0.5, 1.5) * every
            if self._log.seconds() + wait > until:
                return
            await asyncio.sleep(wait)
            await fault()

    async def _kill(self, services: Services) -> None:
        if not services.alive:
            return
        victim = self._random.choice(services.alive)
        self._fault("crash", "kills")
        await services.kill(victim)
        await asyncio.sleep(REPLACED_AFTER_SECONDS)
        await services.start_one()

    async def _stop(self, services: Services) -> None:
        if not services.alive:
            return
        victim = self._random.choice(services.alive)
        self._fault("pause", "stops")
        victim.signal(signal.SIGSTOP)
        await asyncio.sleep(self._random.uniform(*STOPPED_SECONDS))
        victim.signal(signal.SIGCONT)

    async def _restart(self) -> None:
        assert self._server is not None
        self._fault("restart", "restarts")
        # As often killed as stopped: an acknowledged write is on the disk either way.
        await asyncio.to_thread(self._server.restart, kill=self._random.random() < 0.5)

    async def _cut(self) -> None:
        cut = self._proxy.cut(self._random, CUT_SHARE)
        if cut:
            self._fault("reply_lost", "cuts", cut)

    def _fault(self, kind: str, counted: str, count: int = 1) -> None:
        self._log("fault", kind=kind)
        self._counts[counted] += count
