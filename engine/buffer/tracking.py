"""Where one message has been, in Redis for a while, so that `bufferproof track` can tell it across functions.

It costs a message no round trip: steps are kept in memory and written in one pipeline every half second, by production's
monitoring alone. So the last half second of a function that crashed is missing, and what is told is never what a design
relies on. Each message's steps are a list with a TTL (TRACK_TTL_SECONDS); no text or data of a message is in it.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.buffer.model import Conversation

FLUSH_EVERY_SECONDS = 0.5
#: Steps that are kept in memory while Redis is away; older ones are dropped.
CAPACITY = 10_000
#: Steps of one message that are kept, the latest.
STEPS_MAX = 200


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one message. `stage`: received, buffered, repeated, refused, handed over, processed, failed, dead-lettered."""

    at: str
    conversation: Conversation
    stage: str
    function: str
    batch: str | None


def track_key(message_id: str) -> str:
    """Where the steps of a message are; of messages of several conversations, if they share the id."""
    return f"track:{quote(message_id.encode('utf-8', 'surrogatepass'), safe='')}"


class Tracking:
    """Collects the steps that one function saw, and writes them."""

    def __init__(self, redis: "Redis", function: str, clock: Callable[[], datetime], ttl_seconds: int) -> None:
        self._redis = redis
        self._function = function
        self._clock = clock
        self._ttl_seconds = ttl_seconds
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=CAPACITY)

    def note(self, instance_name: str, user_phone: str, message_id: str, stage: str, batch: str | None = None) -> None:
        """A message reached a stage. Costs no I/O."""
        at = self._clock().isoformat(timespec="milliseconds")
        step = [at, instance_name, user_phone, stage, self._function, batch]
        self._waiting.append((track_key(message_id), json.dumps(step).encode("ascii")))

    async def run(self) -> None:
        """Write what was noted, again and again."""
        while True:
            await asyncio.sleep(FLUSH_EVERY_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what was noted. While Redis is away it is kept for the next time, as far as there is room."""
        if not self._waiting:
            return
        steps, self._waiting = list(self._waiting), deque(maxlen=CAPACITY)
        by_key: dict[str, list[bytes]] = {}
        for key, step in steps:
            by_key.setdefault(key, []).append(step)
        pipeline = self._redis.pipeline(transaction=False)
        for key, written in by_key.items():
            pipeline.rpush(key, *written)
            pipeline.ltrim(key, -STEPS_MAX, -1)
            pipeline.expire(key, self._ttl_seconds)
        try:
            await pipeline.execute()
        except (RedisError, OSError):
            self._waiting.extendleft(reversed(steps[: CAPACITY - len(self._waiting)]))


async def track(redis: "Redis", message_id: str) -> list[Step]:
    """The steps of a message, in their order. Raises `RedisError`."""
    raw: list[Any] = list(await redis.lrange(track_key(message_id), 0, -1))
    steps = []
    for each in raw:
        with suppress(ValueError):
            at, instance_name, user_phone, stage, function, batch = json.loads(each)
            conversation = Conversation(instance_name=instance_name, user_phone=user_phone)
            steps.append(Step(at, conversation, stage, function, batch))
    # Written by several functions, each half a second late.
    return sorted(steps, key=lambda step: step.at)
