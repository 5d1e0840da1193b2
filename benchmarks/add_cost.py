"""Where the server's time for one add of `lease` goes: its script beside smaller ones, through one pipelined connection.

    python benchmarks/add_cost.py

Each line adds one thing to a bare script of one `RPUSH`. All get the same 5,000 messages of 500 conversations; figures are
microseconds of the server's CPU (`INFO cpu`) an add, the median of nine rounds that take turns, and the ratio to the bare one.
"""

import asyncio
import statistics
from typing import Any

from redis.asyncio import Redis

from engine.buffer.production import connect
from engine.buffer.scripts import Script
from engine.load.micro import BARE_SOURCE, CONVERSATIONS, PAYLOAD, PIPELINED, ROUNDS, adds_of, messages, packed, pour
from engine.load.server import embedded_server

RPUSH = "return redis.call('RPUSH', KEYS[3], ARGV[2])"
SCRIPTS = {
    "with the keys and arguments of lease": RPUSH,
    "… and a second command": f"redis.call('INCR', KEYS[4]) {RPUSH}",
    "… and a marker of its own for each message": f"redis.call('SET', KEYS[5], '1', 'NX') {RPUSH}",
}


async def measured() -> None:
    """Measure and print."""
    each = PIPELINED // CONVERSATIONS
    calls = [await adds_of("lease", messages(f"p{number}", each)) for number in range(CONVERSATIONS)]
    ordered = [calls[person][number] for number in range(each) for person in range(CONVERSATIONS)]
    with embedded_server() as server:
        redis = connect(server.url)
        bare = await redis.script_load(BARE_SOURCE)
        streams = {
            "bare RPUSH": b"".join(
                packed(("EVALSHA", bare, 1, f"bare:{number}", ordered[0][PAYLOAD])) for number in range(CONVERSATIONS)
            )
            * each
        }
        scripts = SCRIPTS | {"lease": Script.load("engine.buffer.lease", "add.lua").source}
        for name, source in scripts.items():
            digest = await redis.script_load(source)
            streams[name] = b"".join(packed(("EVALSHA", digest, *call[2:])) for call in ordered)
        used: dict[str, list[float]] = {name: [] for name in streams}
        for _ in range(ROUNDS):
            for name, stream in streams.items():
                await redis.flushdb()
                before = await cpu_seconds(redis)
                await pour(server.port, stream)
                used[name].append((await cpu_seconds(redis) - before) * 1_000_000 / PIPELINED)
        await redis.aclose()
    least = statistics.median(used["bare RPUSH"])
    for name, samples in used.items():
        cost = statistics.median(samples)
        print(f"{name:<46}{cost:>7.1f} µs  × {cost / least:.2f}")


async def cpu_seconds(redis: "Redis") -> float:
    """What the server has used so far."""
    info: dict[str, Any] = await redis.info("cpu")
    return float(info["used_cpu_user"] + info["used_cpu_sys"])


if __name__ == "__main__":
    asyncio.run(measured())
