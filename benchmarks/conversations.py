"""How many open conversations one service process of `lease` holds, and what each costs in memory.

    python benchmarks/conversations.py            # 100,000
    python benchmarks/conversations.py 10000

Each of so many people sends one message to one `bufferproof serve` on an embedded server, over HTTP, with a window so long
that none is due before the end: every conversation is open, with its timer in the process and its state in Redis. Then
the memory of both is read and divided, and one more message is sent to see that the process still answers. (The time that it
takes is the machine's.)
"""

import asyncio
import json
import sys
from collections.abc import Iterator

import psutil

from engine.buffer.production import connect
from engine.load.server import embedded_server
from engine.load.services import HOST, Services
from engine.load.wire import Client

AT_ONCE = 32
WINDOW_MS = 24 * 3_600 * 1_000


async def measured(people: int) -> None:
    """Open them, and print what they cost."""
    with embedded_server() as server:
        settings = {"REDIS_URL": server.url, "BUFFER_DELAY_MS": WINDOW_MS, "ENABLE_BUFFER_MONITORING": "false"}
        settings |= {"BUFFER_TTL_SECONDS": 100_000, "TIMER_TTL_SECONDS": 100_000}
        services = Services("lease", 1, settings, lambda line: None)
        client = Client(HOST, services.port)
        redis = connect(server.url)
        try:
            await services.start()
            for person in range(200):  # warm: connections, scripts, pools
                await send(client, person)
            process_before, server_before = services.resident_bytes(), psutil.Process(server.pid).memory_info().rss
            numbers = iter(range(200, people + 200))
            await asyncio.gather(*(sender(client, numbers) for _ in range(AT_ONCE)))
            process_bytes = services.resident_bytes() - process_before
            server_bytes = psutil.Process(server.pid).memory_info().rss - server_before
            unfinished = sum([await redis.zcard(f"{{bp:{shard}}}:due") for shard in range(16)])
            await send(client, people + 200)
            print(f"{unfinished:,} conversations are open in one service process; it still answers")
            print(
                f"service process: {process_bytes / people:,.0f} bytes a conversation ({process_bytes / 2**20:,.0f} MiB)"
            )
            print(
                f"server:          {server_bytes / people:,.0f} bytes a conversation ({server_bytes / 2**20:,.0f} MiB)"
            )
        finally:
            client.close()
            await services.stop()
            await redis.aclose()


async def sender(client: Client, numbers: Iterator[int]) -> None:
    """One of the loops that send: the next person's message after the answer to the last one's."""
    for person in numbers:
        await send(client, person)


async def send(client: Client, person: int) -> None:
    """One message of one person."""
    body = {
        "instance_name": "bot",
        "user_phone": f"49{person:09d}",
        "message_id": f"m{person}",
        "text": "are you there?",
    }
    headers = {"content-type": "application/json"}
    status, answer = await client.post("/webhook", headers, json.dumps(body).encode(), 60)
    if status != 200:
        raise SystemExit(f"a message was answered {status}: {answer!r}")


if __name__ == "__main__":
    asyncio.run(measured(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
