"""RENAMENX claims a list, SET NX PX leases it, WATCH settles it. Repeats are sorted out when a batch is read. No Lua."""

import json
from typing import Any, ClassVar

import redis.asyncio as aioredis
from redis.exceptions import ResponseError, WatchError

from engine.buffer import Conversation, HandOverError, HandOverRefused, Message, Receipt, Runtime, Strategy


def tag(conversation: Conversation) -> str:
    return json.dumps([conversation.instance_name, conversation.user_phone], separators=(",", ":"))


class RenameClaim(Strategy):
    name = "rename_claim"
    tick_ms: ClassVar[int | None] = 1500

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.r: aioredis.Redis = runtime.redis

    async def receive(self, message: Message) -> Receipt:
        sec, usec = await self.r.time()
        at = int(sec) * 1000 + int(usec) // 1000
        t = tag(message.conversation)
        body = json.dumps({"at": at, "id": message.message_id, "text": message.text, "data": message.data})
        pipe = self.r.pipeline()
        pipe.rpush(f"{t}/buf", body)
        pipe.zadd("buffers", {t: at + self.runtime.settings.buffer_delay_ms}, nx=True)
        length, created = await pipe.execute()
        return Receipt(buffer_created=bool(created))

    async def tick(self) -> None:
        sec, usec = await self.r.time()
        now = int(sec) * 1000 + int(usec) // 1000
        for t in await self.r.zrange("buffers", "-inf", now, byscore=True):
            self.runtime.start(self.process(t.decode()))

    async def process(self, t: str) -> None:
        token = self.runtime.random.randbytes(8).hex()
        if not await self.r.set(f"{t}/lease", token, nx=True, px=155_000):
            return
        try:
            await self.process_leased(t, token)
        finally:
            await self.give_back(t, token)

    async def give_back(self, t: str, token: str) -> None:
        async with self.r.pipeline() as pipe:
            try:
                await pipe.watch(f"{t}/lease")
                if await pipe.get(f"{t}/lease") == token.encode():
                    pipe.multi()
                    pipe.delete(f"{t}/lease")
                    await pipe.execute()
            except WatchError:
                pass

    async def process_leased(self, t: str, token: str) -> None:
        score = await self.r.zscore("buffers", t)
        sec, usec = await self.r.time()
        if score is None or score > int(sec) * 1000 + int(usec) // 1000:
            return  # somebody was quicker
        try:
            await self.r.renamenx(f"{t}/buf", f"{t}/work")
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
        proposal = self.runtime.random.randbytes(8).hex()
        # It ends by itself, long after the last try: one that was on its way for minutes may come when all is settled.
        earlier = await self.r.set(f"{t}/batch", proposal, nx=True, get=True, ex=4_500)
        batch = (earlier or proposal.encode()).decode()
        raw = [json.loads(each) for each in await self.r.lrange(f"{t}/work", 0, -1)]
        done = await self.r.smembers(f"{t}/done")
        unique = {each["id"]: each for each in reversed(raw) if json.dumps(each["id"]).encode() not in done}
        items = [unique[i] for i in dict.fromkeys(each["id"] for each in raw) if i in unique]
        instance, phone = json.loads(t)
        conversation = Conversation(instance_name=instance, user_phone=phone)
        messages = [
            Message(conversation=conversation, message_id=e["id"], text=e["text"], data=e["data"]) for e in items
        ]
        if messages:
            tries = int(await self.r.get(f"{t}/tries") or 0)
            fence = int(sec) * 1_000_000 + int(usec)
            try:
                await self.runtime.hand_over(messages, key=batch, fence=fence)
            except HandOverRefused:
                return
            except HandOverError as error:
                if tries < self.runtime.settings.max_retry_attempts:
                    await self.r.incr(f"{t}/tries")
                    await self.runtime.sleep(1.0)
                    return
                await self.runtime.dead_letter(messages, repr(error))
        await self.finish(t, token, batch, [json.dumps(m.message_id) for m in messages])

    async def finish(self, t: str, token: str, batch: str, ids: list[str]) -> None:
        async with self.r.pipeline() as pipe:
            while True:
                try:
                    await pipe.watch(f"{t}/lease", f"{t}/batch", f"{t}/buf")
                    if await pipe.get(f"{t}/lease") != token.encode() or await pipe.get(f"{t}/batch") != batch.encode():
                        return
                    head = await pipe.lindex(f"{t}/buf", 0)
                    pipe.multi()
                    pipe.delete(f"{t}/work", f"{t}/batch", f"{t}/tries", f"{t}/lease")
                    if ids:
                        pipe.sadd(f"{t}/done", *ids)
                        pipe.expire(f"{t}/done", 4_500)
                    if head is None:
                        pipe.zrem("buffers", t)
                    else:
                        pipe.zadd("buffers", {t: json.loads(head)["at"] + self.runtime.settings.buffer_delay_ms})
                    await pipe.execute()
                    return
                except WatchError:
                    await self.runtime.sleep(0.01)
