"""A lock with an owner: taken with a token, renewed and released only by whoever holds that token."""

from redis.exceptions import RedisError

from engine.buffer.runtime import Runtime
from engine.buffer.scripts import Script

RETRY_MS = 50
PACKAGE = "engine.buffer.fenced_lock"


class LockNotTaken(Exception):
    """Somebody else held the lock for as long as we were willing to wait."""


class OwnedLock:
    """One lock. `ttl_ms`: how long it lives without renewal."""

    def __init__(self, runtime: Runtime, key: str, ttl_ms: int) -> None:
        self._runtime = runtime
        self.key = key
        self.ttl_ms = ttl_ms
        self.token = f"{runtime.random.getrandbits(128):032x}"
        self._held = False

    async def take(self, wait_ms: int) -> None:
        """Take it, waiting at most `wait_ms`, with jitter. Raises `LockNotTaken`, or `RedisError`."""
        waited_ms = 0.0
        while not await self._runtime.redis.set(self.key, self.token, nx=True, px=self.ttl_ms):
            if waited_ms >= wait_ms:
                raise LockNotTaken(self.key)
            pause_ms = RETRY_MS * self._runtime.random.uniform(0.5, 1.5) * self._runtime.settings.time_scale
            waited_ms += pause_ms
            await self._runtime.sleep(pause_ms / 1000)
        self._held = True

    async def release(self) -> None:
        """Delete it if it is still ours. An error is noted: the lock then ends by its TTL."""
        self._held = False
        try:
            await Script.load(PACKAGE, "release.lua").run(self._runtime.redis, keys=[self.key], args=[self.token])
        except RedisError:
            self._runtime.note("lock not released")

    async def renew_until_released(self) -> None:
        """Renew it three times in each TTL, as long as it is held."""
        while True:
            await self._runtime.sleep(self.ttl_ms / 3000)
            if not self._held:
                return
            try:
                renew = Script.load(PACKAGE, "renew.lua")
                if not await renew.run(self._runtime.redis, keys=[self.key], args=[self.token, self.ttl_ms]):
                    self._runtime.note("lock lost")
                    return
            except RedisError:
                continue
