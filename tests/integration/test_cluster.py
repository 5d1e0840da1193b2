"""`lease` on a Redis Cluster of embedded servers: no script crosses slots, and what was replicated survives a failover."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import pytest
import redis
from redis.exceptions import RedisError

from engine.buffer import Conversation, Message, Settings
from engine.buffer.function import Function
from engine.buffer.lease import Lease
from engine.buffer.lease.dead_letters import DeadLetters
from engine.buffer.lease.names import Keyspace
from engine.buffer.production import connect
from engine.buffer.runtime import Runtime
from engine.load.cluster import EmbeddedCluster, ask, embedded_cluster, is_primary, is_replicated, wait_for
from engine.load.server import EmbeddedServer

pytestmark = [pytest.mark.real_server, pytest.mark.slow]

SETTINGS = {"BUFFER_DELAY_MS": 50, "RETRY_BACKOFF_MS": 10, "RETRY_BACKOFF_MS_MAX": 10, "MAX_RETRY_ATTEMPTS": 1}
CONVERSATIONS = [Conversation(instance_name="bot", user_phone=f"49{number}") for number in range(24)]
TRIES = 1_200


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    # Longer than a busy machine lets a node wait for its turn: who is only slow must not be replaced.
    with embedded_cluster(node_timeout_ms=5_000) as cluster:
        yield cluster


class Processor:
    """An idempotent processor: the first hand-over of a key is its effect."""

    def __init__(self) -> None:
        self.effects: dict[str, list[str]] = {}
        self.fails = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a hand-over; a delivery is not reached by HTTP here."""
        if "Idempotency-Key" not in request.headers:
            raise httpx.ConnectError("there is no endpoint")
        if self.fails:
            return httpx.Response(500)
        ids = [message["messageId"] for message in json.loads(request.content)["messages"]]
        self.effects.setdefault(request.headers["Idempotency-Key"], ids)
        return httpx.Response(200, json={"success": True})

    @property
    def times(self) -> Counter[str]:
        """How often each message has had its effect."""
        return Counter(message_id for ids in self.effects.values() for message_id in ids)


@pytest.fixture
def processor() -> Processor:
    return Processor()


@pytest.fixture
async def runtime(cluster: EmbeddedCluster, processor: Processor) -> AsyncIterator[Runtime]:
    for server in cluster.nodes:
        if is_primary(server):
            ask(server, "FLUSHALL")
            ask(server, "SCRIPT", "FLUSH")
    client = connect(cluster.url)
    runtime = Runtime(
        name="f1",
        settings=Settings.fixed(getattr(Lease, "default_settings", {}), SETTINGS),
        redis=client,
        http=httpx.AsyncClient(transport=httpx.MockTransport(processor)),
        clock=lambda: datetime.now(UTC),
        random=random.Random(7),
        record=lambda event, **fields: None,
    )
    yield runtime
    await runtime.stop_tasks()
    await client.aclose()


def message(conversation: Conversation, number: int) -> Message:
    return Message(conversation=conversation, message_id=f"{conversation.user_phone}-{number}", text="hello", data=[])


async def eventually(call: Callable[[], Any]) -> Any:
    """Call until the cluster lets it through: while a node is being replaced, commands to it fail."""
    for _ in range(TRIES):
        try:
            return await call()
        except (RedisError, OSError):
            await asyncio.sleep(0.05)
    return await call()


async def settled(lease: Lease, processor: Processor, expected: int) -> None:
    """Tick until as many messages have had their effect."""
    for _ in range(TRIES):
        if len(processor.times) >= expected:
            return
        await eventually(lease.tick)
        await asyncio.sleep(0.05)


def primary_of(cluster: EmbeddedCluster, key: str) -> EmbeddedServer:
    """The node that has a key's slot now."""
    with redis.RedisCluster.from_url(cluster.url.replace("+cluster", "")) as client:
        node = client.get_node_from_key(key)
    return next(server for server in cluster.nodes if server.port == node.port)


def test_the_shards_of_lease_are_spread_over_the_nodes(cluster: EmbeddedCluster) -> None:
    settings = Settings.fixed({}, SETTINGS)
    keyspace = Keyspace("bp", settings.shards)
    ports = {primary_of(cluster, keyspace.due(shard)).port for shard in range(settings.shards)}
    assert ports == {server.port for server in cluster.primaries}


async def test_no_script_crosses_slots_and_every_script_runs(
    cluster: EmbeddedCluster, runtime: Runtime, processor: Processor
) -> None:
    lease = Lease(runtime)
    processor.fails = True
    for conversation in CONVERSATIONS:
        for number in (1, 2, 2):
            await lease.receive(message(conversation, number))
    # Buffers of the plan, for the sweep to adopt: they lie in other slots than what becomes of them.
    for number in range(4):
        entry = {
            "text": "old",
            "timestamp": "2026-01-05T09:00:00.000Z",
            "messageId": f"old-{number}",
            "messageData": [],
        }
        await runtime.redis.set(
            f"msg_buffer:bot:{number}", json.dumps({"messages": [entry], "processed": False}), ex=60
        )
    letters = DeadLetters(runtime.redis, runtime.settings)
    for _ in range(TRIES):  # every batch fails until it is dead
        await lease.tick()
        if len(await letters.all()) == len(CONVERSATIONS) + 4:
            break
        await asyncio.sleep(0.05)
    processor.fails = False
    for letter in await letters.all():
        assert await letters.requeue(letter) == "requeued"
    await settled(lease, processor, 2 * len(CONVERSATIONS) + 4)
    assert set(processor.times.values()) == {1}
    assert len(processor.times) == 2 * len(CONVERSATIONS) + 4
    assert sum(ask(server, "DBSIZE") for server in cluster.primaries) > 0
    assert await lease.drain() == 0


async def test_a_planned_failover_loses_nothing_and_doubles_nothing(
    cluster: EmbeddedCluster, runtime: Runtime, processor: Processor
) -> None:
    lease = Lease(runtime)
    accepted = []
    replica = next(server for server in cluster.nodes if not is_primary(server))
    for number in range(4):
        for conversation in CONVERSATIONS:
            await eventually(partial(lease.receive, message(conversation, number)))
            accepted.append(message(conversation, number).message_id)
        if number == 1:
            ask(replica, "CLUSTER", "FAILOVER")
    wait_for("the replica has taken over", lambda: is_primary(replica))
    await settled(lease, processor, len(accepted))
    assert processor.times == dict.fromkeys(accepted, 1)


async def test_the_service_takes_a_cluster_s_url(cluster: EmbeddedCluster, runtime: Runtime) -> None:
    function = Function(Lease(runtime), runtime, lambda event, **fields: None)
    assert await eventually(lambda: function.receive(message(CONVERSATIONS[0], 9))) == 200


async def test_what_was_replicated_survives_a_killed_primary(
    cluster: EmbeddedCluster, runtime: Runtime, processor: Processor
) -> None:
    lease = Lease(runtime)
    accepted = []
    for conversation in CONVERSATIONS:
        await lease.receive(message(conversation, 1))
        accepted.append(message(conversation, 1).message_id)
    victim = primary_of(cluster, lease._store.keyspace.of(CONVERSATIONS[0]).due)
    # The last test, for its node is gone. A cluster answers before it replicates, and a kill takes what no replica had.
    # Here one has all.
    wait_for("the replica has all", lambda: is_replicated(victim))
    victim.kill()
    for conversation in CONVERSATIONS:
        await eventually(partial(lease.receive, message(conversation, 2)))
        accepted.append(message(conversation, 2).message_id)
    await settled(lease, processor, len(accepted))
    assert processor.times == dict.fromkeys(accepted, 1)
