"""What an add costs the server: one script at a time, measured by the server itself (`INFO commandstats`).

Adds of `lease` and `lua` at buffers of several lengths, interleaved so that a busy machine is as bad for one as for the
others, beside a bare script of one RPUSH. The commands are those that the strategies send: each strategy adds a message over
a client that writes its `EVALSHA` down instead of sending it.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import httpx
from redis.asyncio import Redis

from engine.buffer.catalogue import load_strategy
from engine.buffer.model import Conversation, Message
from engine.buffer.plan.document import append, dump, new_document
from engine.buffer.plan.keys import buffer_key
from engine.buffer.production import connect
from engine.buffer.runtime import Runtime
from engine.buffer.scripts import Script
from engine.buffer.settings import Settings
from engine.load.server import embedded_server

LENGTHS = (10, 100, 1_000, 1_500)
STRATEGIES = ("lease", "lua")
BARE = "bare RPUSH"
BARE_SOURCE = "return redis.call('RPUSH', KEYS[1], ARGV[1])"
ROUNDS = 9
#: Few, so that a buffer of 10 stays one of about 10.
ADDS_A_ROUND = 10
#: Where the message stands in an add of `lease`: EVALSHA, digest, number of keys, 5 keys, member, payload, …
PAYLOAD = 9
#: Adds of the pipelined measurement, spread over so many conversations, as a service's are.
PIPELINED = 5_000
CONVERSATIONS = 500

Args = tuple[Any, ...]


class _Written:
    """A client that writes `EVALSHA` down and answers what makes a strategy content."""

    def __init__(self, reply: Any) -> None:
        self.calls: list[Args] = []
        self._reply = reply

    async def evalsha(self, *args: Any) -> Any:
        self.calls.append(("EVALSHA", *args))
        return self._reply

    async def get(self, *args: Any) -> None:
        return None


#: What the add script of a strategy answers to a message that joins a buffer.
_REPLIES: dict[str, Any] = {"lease": [0, 0, -1], "lua": 1}


async def adds_of(strategy: str, messages: Sequence[Message]) -> list[Args]:
    """The command that a strategy sends for each message."""
    written = _Written(_REPLIES[strategy])
    kind = load_strategy(strategy)
    async with httpx.AsyncClient() as http:
        runtime = Runtime(
            name="f1",
            settings=Settings.fixed(kind.default_settings, {}),
            redis=cast("Redis", written),
            http=http,
            clock=lambda: datetime.fromtimestamp(0, UTC),
            random=random.Random(0),
            record=lambda event, **fields: None,
        )
        function = kind(runtime)
        for message in messages:
            await function.receive(message)
    return written.calls


def messages(person: str, count: int, first: int = 0) -> list[Message]:
    """So many messages of one person."""
    conversation = Conversation(instance_name="load", user_phone=person)
    return [
        Message(conversation=conversation, message_id=f"{person}-{number}", text="are you there?", data={"n": number})
        for number in range(first, first + count)
    ]


async def micro() -> dict[str, Any]:
    """All measurements, on an embedded server of their own."""
    with embedded_server() as server:
        redis = connect(server.url)
        try:
            bare_sha = await redis.script_load(BARE_SOURCE)
            for strategy in STRATEGIES:
                await redis.script_load(_add_script(strategy).source)
            by_length = await _by_length(redis, server.port, bare_sha)
            pipelined = await _pipelined(redis, server.port, bare_sha)
        finally:
            await redis.aclose()
    return _ratios({"usec_per_add_by_length": by_length, "pipelined": pipelined})


def _add_script(strategy: str) -> Script:
    if strategy == "lua":
        return Script.load("engine.buffer.plan", "add_message_to_buffer.lua")
    return Script.load("engine.buffer.lease", "add.lua")


async def _by_length(redis: "Redis", port: int, bare_sha: str) -> dict[str, dict[str, float]]:
    """Microseconds of the server for an add, the median over rounds, by strategy and length of the buffer."""
    samples: dict[tuple[str, int], list[float]] = {}
    for length in LENGTHS:
        sent = messages("one", length + ADDS_A_ROUND)
        lease, lua = [await adds_of(strategy, sent) for strategy in STRATEGIES]
        bare: list[Args] = [("EVALSHA", bare_sha, 1, "bare", lease[0][PAYLOAD])] * len(sent)
        document = _document(sent[:length])
        lua_key = buffer_key(sent[0].conversation)
        filling = {
            "lease": _stream(lease[:length]),
            "lua": packed(("SETEX", lua_key, 600, document)),  # by its own script it would take seconds
            BARE: _stream(bare[:length]),
        }
        adding = {name: _stream(calls[length:]) for name, calls in (("lease", lease), ("lua", lua), (BARE, bare))}
        for _ in range(ROUNDS):
            for name in adding:
                await redis.flushdb()
                await pour(port, filling[name])
                await redis.config_resetstat()
                await pour(port, adding[name])
                stats = (await redis.info("commandstats"))["cmdstat_evalsha"]
                samples.setdefault((name, length), []).append(stats["usec"] / stats["calls"])
    return {
        name: {str(length): round(statistics.median(samples[name, length]), 2) for length in LENGTHS}
        for name in (*STRATEGIES, BARE)
    }


def _document(sent: Sequence[Message]) -> bytes:
    now = datetime.fromtimestamp(0, UTC)
    document = new_document(sent[0], now)
    for message in sent[1:]:
        append(document, message, now)
    return dump(document)


def _stream(calls: Sequence[Args]) -> bytes:
    return b"".join(packed(call) for call in calls)


async def _pipelined(redis: "Redis", port: int, bare_sha: str) -> dict[str, dict[str, float]]:
    """Adds through one connection that does not wait for replies.

    A second of the clock holds fewer where others want the CPU too, so adds are also counted by the server's own CPU seconds:
    it has one thread for them, which is the limit. The median over rounds.
    """
    each = PIPELINED // CONVERSATIONS
    people = [f"p{number}" for number in range(CONVERSATIONS)]
    streams: dict[str, bytes] = {}
    payload = ""
    for strategy in STRATEGIES:
        calls = [await adds_of(strategy, messages(person, each)) for person in people]
        payload = str(calls[0][0][PAYLOAD]) if strategy == "lease" else payload
        streams[strategy] = b"".join(packed(calls[p][n]) for n in range(each) for p in range(CONVERSATIONS))
    streams[BARE] = b"".join(packed(("EVALSHA", bare_sha, 1, f"bare:{p}", payload)) for p in people) * each
    by_clock: dict[str, list[float]] = {name: [] for name in streams}
    by_cpu: dict[str, list[float]] = {name: [] for name in streams}
    for _ in range(ROUNDS):
        for name, stream in streams.items():
            await redis.flushdb()
            before = await redis.info("cpu")
            by_clock[name].append(PIPELINED / await pour(port, stream))
            after = await redis.info("cpu")
            used = sum(after[part] - before[part] for part in ("used_cpu_user", "used_cpu_sys"))
            by_cpu[name].append(PIPELINED / used)
    await redis.flushdb()
    return {
        name: {
            "adds_per_s": round(statistics.median(by_clock[name])),
            "adds_per_cpu_s": round(statistics.median(by_cpu[name])),
        }
        for name in streams
    }


async def pour(port: int, stream: bytes) -> float:
    """Seconds from the first byte sent to the last reply read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.perf_counter()
    writer.write(stream + packed(("ECHO", "poured-out")))
    tail = b""
    while b"poured-out" not in tail:
        data = await reader.read(2**20)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        tail = (tail + data)[-64:]
    took = time.perf_counter() - began
    writer.close()
    await writer.wait_closed()
    return took


def packed(call: Args) -> bytes:
    """A command as it goes over the wire."""
    parts = [part if isinstance(part, bytes) else str(part).encode() for part in call]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def _ratios(found: dict[str, Any]) -> dict[str, Any]:
    """The figures that are asked for."""
    by_length, pipelined = found["usec_per_add_by_length"], found["pipelined"]
    return found | {
        "growth_10_to_1000": {name: round(by_length[name]["1000"] / by_length[name]["10"], 2) for name in by_length},
        "lease_to_bare_cpu_per_add": round(by_length["lease"]["100"] / by_length[BARE]["100"], 2),
        "lease_to_bare_pipelined": round(pipelined["lease"]["adds_per_cpu_s"] / pipelined[BARE]["adds_per_cpu_s"], 2),
    }
