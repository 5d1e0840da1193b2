"""Defects in the use of what Redis offers: streams, pub/sub, blocking reads, scans, expiring keys."""

import json
from typing import Any, ClassVar

from core import Core, changed
from naive import name_of, packed, unpacked
from redis.exceptions import RedisError, ResponseError

from engine.buffer import Conversation, HandOverError, Message, Receipt, Strategy


class PubsubAlone(Core):
    """A published word starts a delivery; what was not heard is not delivered."""

    tick_ms: ClassVar[int | None] = None

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        runtime.start(self._listen())

    async def receive(self, message: Message) -> Receipt:
        """Store, and say so."""
        await self.add(message)
        await self.runtime.redis.publish("armed", self.name_of(message.conversation))
        return Receipt()

    async def _listen(self) -> None:
        async with self.runtime.redis.pubsub() as pubsub:  # type: ignore[no-untyped-call]
            await pubsub.subscribe("armed")
            async for said in pubsub.listen():
                if said["type"] == "message":
                    self.runtime.start(self._later(said["data"]))

    async def _later(self, name: bytes) -> None:
        await self.runtime.sleep(self.delay_ms / 1000 + 0.3)
        await self.work(name)


class PushesMessages(Strategy):
    """Messages go by pub/sub from function to function: who does not listen has missed them."""

    name = "pushes_messages"

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        runtime.start(self._listen())

    async def receive(self, message: Message) -> Receipt:
        """Say it."""
        names = [message.conversation.instance_name, message.conversation.user_phone]
        await self.runtime.redis.publish("messages", json.dumps([*names, packed(message)]))
        return Receipt()

    async def _listen(self) -> None:
        buffers: dict[Conversation, list[Message]] = {}
        async with self.runtime.redis.pubsub() as pubsub:  # type: ignore[no-untyped-call]
            await pubsub.subscribe("messages")
            async for said in pubsub.listen():
                if said["type"] == "message":
                    instance, phone, payload = json.loads(said["data"])
                    conversation = Conversation(instance_name=instance, user_phone=phone)
                    buffer = buffers.setdefault(conversation, [])
                    buffer.append(unpacked(payload, conversation))
                    if len(buffer) == 1:
                        self.runtime.start(self._later(buffers, conversation))

    async def _later(self, buffers: dict[Conversation, list[Message]], conversation: Conversation) -> None:
        await self.runtime.sleep(self.runtime.settings.buffer_delay_ms / 1000)
        messages = buffers.pop(conversation)
        await self.runtime.hand_over(messages, key=f"{name_of(conversation)}/{messages[0].message_id}")


class Acknowledges(Strategy):
    """A stream's group that acknowledges what it reads when it reads it."""

    name = "acknowledges"
    tick_ms: ClassVar[int | None] = 1_000
    shared_keys = frozenset({"inbox"})
    noack = False

    async def receive(self, message: Message) -> Receipt:
        """Add an entry."""
        fields: dict[Any, Any] = {"name": name_of(message.conversation), "payload": packed(message)}
        await self.runtime.redis.xadd("inbox", fields)
        return Receipt()

    async def tick(self) -> None:
        """Read, acknowledge, hand over."""
        redis: Any = self.runtime.redis
        try:
            await redis.xgroup_create("inbox", "group", id="0", mkstream=True)
        except ResponseError:
            pass
        found = await redis.xreadgroup("group", self.runtime.name, {"inbox": ">"}, count=10, noack=self.noack)
        for _, entries in found or []:
            for entry_id, fields in entries:
                if not self.noack:
                    await redis.xack("inbox", "group", entry_id)
                self.runtime.start(self._work(entry_id, fields))

    async def _work(self, entry_id: bytes, fields: dict[bytes, bytes]) -> None:
        instance, phone = json.loads(fields[b"name"])
        message = unpacked(fields[b"payload"], Conversation(instance_name=instance, user_phone=phone))
        await self.runtime.hand_over([message], key=entry_id.decode())
        await self.runtime.redis.xdel("inbox", entry_id)


class NoAck(Acknowledges):
    """The same by NOACK."""

    name = "no_ack"
    noack = True


class StreamCut(Acknowledges):
    """A stream that keeps its newest five entries."""

    name = "stream_cut"

    async def receive(self, message: Message) -> Receipt:
        """Add an entry, and cut."""
        fields: dict[Any, Any] = {"name": name_of(message.conversation), "payload": packed(message)}
        await self.runtime.redis.xadd("inbox", fields, maxlen=5, approximate=False)
        return Receipt()


class BlocksAndPops(Core):
    """Workers wait on BLPOP; what was popped and not done is gone."""

    tick_ms: ClassVar[int | None] = None

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        runtime.start(self._worker())

    async def receive(self, message: Message) -> Receipt:
        """Queue it."""
        await self.runtime.redis.rpush("queue", json.dumps([name_of(message.conversation), packed(message)]))  # type: ignore[misc]
        return Receipt()

    async def _worker(self) -> None:
        redis: Any = self.runtime.redis
        while True:
            try:
                found = await redis.blpop("queue", timeout=4)
            except RedisError:
                await self.runtime.sleep(1)
                continue
            if found is not None:
                name, payload = json.loads(found[1])
                message = unpacked(payload, self.conversation_of(name))
                while True:
                    try:
                        await self.runtime.hand_over([message], key=f"{name}/{message.message_id}")
                        break
                    except HandOverError:
                        await self.runtime.sleep(1)


class ScansOnePage(Core):
    """The sweep looks at the first page of a scan, and takes it for all."""

    async def tick(self) -> None:
        """SCAN 0, and nothing after it."""
        redis: Any = self.runtime.redis
        _, keys = await redis.scan(0, match="flight:*", count=5)
        _, more = await redis.scan(0, match="pending:*", count=5)
        for key in sorted([*keys, *more]):
            self.runtime.start(self.work(key.partition(b":")[2]))


class PatternOfTheName(Core):
    """Markers are deleted by a pattern that is made of the name, and matches others' too."""

    async def settle(self, name: bytes, fence: int, messages: list[Message], back_off_ms: str = "") -> None:
        """DEL of whatever KEYS finds."""
        await super().settle(name, fence, messages, back_off_ms)
        instance, phone = json.loads(name)
        async for key in self.runtime.redis.scan_iter(match=f"pending:*{phone}*"):
            await self.runtime.redis.delete(key)


class ExpiresTheMarkerOnly(Core):
    """A batch is due when its timer's key has expired: the key is made again by each message, and may be lost."""

    async def receive(self, message: Message) -> Receipt:
        """Store, and set the timer's key."""
        await self.add(message)
        name = self.name_of(message.conversation)
        await self.runtime.redis.set(f"timer:{name}", 1, px=self.delay_ms)
        return Receipt()

    async def work(self, name: bytes) -> None:
        """Only while the timer's key is there: when it has gone, nobody looks again."""
        if await self.runtime.redis.exists(b"timer:" + name):
            await super().work(name)


class GetAndSetTheFence(Core):
    """The batch's key is a counter, read and written in two commands."""

    async def process(self, name: bytes, key: str, fence: int, tries: int, messages: list[Message]) -> None:
        """Two batches may read the same number."""
        number = int(await self.runtime.redis.get("number") or 0) + 1
        await self.runtime.redis.set("number", number, ex=600)
        await super().process(name, f"batch-{number}", fence, tries, messages)


class RelaysOnCachedScripts(Core):
    """EVALSHA, loaded once: a server that forgot the script makes every later call fail."""

    _sha: str | None = None

    async def add(self, message: Message) -> Any:
        """By its digest alone."""
        redis: Any = self.runtime.redis
        if self._sha is None:
            self._sha = await redis.script_load(self.ADD)
        name = self.name_of(message.conversation)
        keys = ["due", f"pending:{name}", self.seen(name, message), f"state:{name}"]
        return await redis.evalsha(self._sha, 4, *keys, name, self.pack(message), self.delay_ms, self.marker_s)


class SortedSetOfMinutes(Core):
    """The buffer is a sorted set by the minute: within one, payloads stand by their letters."""

    ADD = changed(
        Core.ADD,
        "redis.call('RPUSH', KEYS[2], ARGV[2])",
        "redis.call('ZADD', KEYS[2], math.floor(now / 60000), ARGV[2])",
    )
    CLAIM: ClassVar[str] = changed(
        Core.CLAIM, "redis.call('LRANGE', KEYS[4], 0, -1)", "redis.call('ZRANGE', KEYS[4], 0, -1)"
    )


class SetOfPayloads(Core):
    """The buffer is a set."""

    ADD = changed(Core.ADD, "RPUSH", "SADD")
    CLAIM: ClassVar[str] = changed(
        Core.CLAIM, "redis.call('LRANGE', KEYS[4], 0, -1)", "redis.call('SMEMBERS', KEYS[4])"
    )


class ThroughCjson(Core):
    """Payloads are decoded and encoded in the script."""

    ADD = changed(Core.ADD, "KEYS[2], ARGV[2])", "KEYS[2], cjson.encode(cjson.decode(ARGV[2])))")
