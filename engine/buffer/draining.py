"""Draining: what is buffered goes to the processor at once, so that another design or version can take over."""

import random
from typing import Any

import httpx

from engine.buffer.production import check_addresses, connect, wall_clock
from engine.buffer.runtime import Runtime
from engine.buffer.settings import Settings
from engine.buffer.strategy import Strategy


async def drain(strategy: type[Strategy], settings: Settings) -> tuple[int, int | None]:
    """Hand over everything that a design has on a Redis. To be called when no function takes messages any more.

    Returns how many messages were confirmed meanwhile, and how many conversations are left (None: the design can not be drained).
    Raises `UsageError` for an address that is none, `redis.exceptions.RedisError` if the server cannot be reached.
    """
    check_addresses(settings)
    sent: dict[str, int] = {}
    confirmed = 0

    def record(event: str, **fields: Any) -> None:
        nonlocal confirmed
        if event == "handover.sent":
            sent[fields["call"]] = len(fields["messages"])
        elif event == "handover.confirmed":
            confirmed += sent[fields["call"]]

    redis = connect(settings.redis_url, connections_max=settings.redis_connections_max)
    entropy = random.Random()  # seeded by the operating system
    async with httpx.AsyncClient(timeout=None) as http:
        runtime = Runtime(
            name=f"drain-{entropy.getrandbits(32):08x}",
            settings=settings,
            redis=redis,
            http=http,
            clock=wall_clock,
            random=entropy,
            record=record,
        )
        try:
            left = await strategy(runtime).drain()
        finally:
            await runtime.stop_tasks()
            await redis.aclose()
    return confirmed, left
