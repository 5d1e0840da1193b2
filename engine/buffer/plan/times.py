"""The plan's times, those that are no settings too, under the one factor TIME_SCALE that fast loads use."""

from collections.abc import Awaitable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from engine.buffer.settings import Settings

#: The ages (ms) of a buffer between which `lock` waits before it looks again: the end of the window, ± 500 ms.
GRACE_FROM_MS = 7_500
GRACE_UNTIL_MS = 8_500
LOCK_TTL_MS = 2_000
LOCK_RETRY_MS = 100
BACKOFF_MS = 1_000
STATUS_TTL_SECONDS = 3_600
CLEANUP_AGE_SECONDS = 600


class Times:
    """Durations of one function's design, scaled. Seconds and milliseconds as each name says."""

    def __init__(self, settings: Settings) -> None:
        self._scale = settings.time_scale
        self.delay_seconds = self.seconds(settings.buffer_delay_ms)
        self.grace_wait_seconds = self.seconds(settings.grace_wait_ms)
        self.lock_retry_seconds = self.seconds(LOCK_RETRY_MS)
        self.lock_ttl_ms = self._whole_ms(LOCK_TTL_MS)
        self.cleanup_age_ms = CLEANUP_AGE_SECONDS * 1_000 * self._scale

    def seconds(self, design_ms: float) -> float:
        """A time of the design (ms) as seconds to wait."""
        return design_ms * self._scale / 1_000

    def backoff_seconds(self, attempt: int) -> float:
        """The wait after attempt n (from 0): 1,000 × 2ⁿ ms."""
        return self.seconds(BACKOFF_MS * 2**attempt)

    def in_grace(self, age_ms: int) -> bool:
        """Whether a buffer of this age is at the end of its window."""
        return GRACE_FROM_MS * self._scale <= age_ms < GRACE_UNTIL_MS * self._scale

    def ttl(self, seconds: int) -> tuple[str, int]:
        """The command that writes with this TTL, and its argument: whole seconds as in the plan, scaled in ms."""
        return ("SETEX", seconds) if self._scale == 1 else ("PSETEX", self._whole_ms(seconds * 1_000))

    def write(self, redis: "Redis | Pipeline", key: bytes, seconds: int, value: bytes) -> Awaitable[Any]:
        """`SETEX`, to be awaited; in a transaction it is queued by this call alone. Raises `RedisError`."""
        command, ttl = self.ttl(seconds)
        # Not the client's setex(), which is deprecated in favour of SET … EX: the plan's command is SETEX.
        return redis.execute_command(command, key, ttl, value)

    def _whole_ms(self, design_ms: float) -> int:
        return max(1, round(design_ms * self._scale))
