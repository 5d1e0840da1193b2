"""One message after the other, each conversation in its order: a queue and a lease for each. Breaks `buffered` alone."""

import json
from typing import Any, ClassVar

from redis.exceptions import RedisError

from engine.buffer import Conversation, HandOverError, HandOverRefused, Message, Receipt, Strategy

PUSH = """
if redis.call('HSETNX', KEYS[2], ARGV[2], '1') == 0 then
  if redis.call('TTL', KEYS[2]) > 0 then redis.call('EXPIRE', KEYS[2], ARGV[4]) end
  return 0
end
redis.call('PERSIST', KEYS[2])
redis.call('SADD', KEYS[3], ARGV[1])
return redis.call('RPUSH', KEYS[1], ARGV[3])
"""
TAKE = """
local head = redis.call('LINDEX', KEYS[1], 0)
if head and redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return head end
return false
"""
POP = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return -1 end
redis.call('DEL', KEYS[2])
if ARGV[2] == 'keep' then return redis.call('INCR', KEYS[4]) end
redis.call('LPOP', KEYS[1])
redis.call('DEL', KEYS[4])
if redis.call('EXISTS', KEYS[1]) == 1 then return 1 end
redis.call('SREM', KEYS[3], ARGV[3])
redis.call('EXPIRE', KEYS[5], ARGV[4])
return 0
"""


class Fifo(Strategy):
    """Handed over one by one, in order, under the message's own id."""

    name = "fifo"
    tick_ms: ClassVar[int | None] = 500

    async def receive(self, message: Message) -> Receipt:
        who = json.dumps([message.conversation.instance_name, message.conversation.user_phone])
        body = json.dumps({"id": message.message_id, "text": message.text, "data": message.data})
        keep = self.runtime.settings.repeat_horizon_seconds + 600
        keys = [f"q:{who}", f"ids:{who}", "people"]
        await self.runtime.redis.eval(PUSH, 3, *keys, who, json.dumps(message.message_id), body, keep)
        self.runtime.start(self.drain(who))
        return Receipt(buffer_created=True)

    async def tick(self) -> None:
        for who in sorted(await self.runtime.redis.smembers("people")):
            self.runtime.start(self.drain(who.decode()))

    async def drain(self, who: str) -> None:
        try:
            while await self.one(who):
                pass
        except RedisError as error:
            self.runtime.note("drain", error=str(error))

    async def one(self, who: str) -> bool:
        redis, token = self.runtime.redis, f"{self.runtime.random.getrandbits(64):x}"
        lease_ms = self.runtime.settings.hand_over_timeout_seconds * 1000 + 40_000
        body = await redis.eval(TAKE, 2, f"q:{who}", f"lease:{who}", token, lease_ms)
        keys = [f"q:{who}", f"lease:{who}", "people", f"tries:{who}", f"ids:{who}"]
        if not body:
            return False
        found = json.loads(body)
        instance, phone = json.loads(who)
        conversation = Conversation(instance_name=instance, user_phone=phone)
        message = Message(conversation=conversation, message_id=found["id"], text=found["text"], data=found["data"])
        what = "drop"
        try:
            await self.runtime.hand_over([message], key=json.dumps([instance, phone, found["id"]]))
        except HandOverError as error:
            if int(await redis.get(f"tries:{who}") or 0) < self.runtime.settings.max_retry_attempts:
                what = "keep"
            else:
                await self.runtime.dead_letter([message], str(error))
        keep = self.runtime.settings.repeat_horizon_seconds + 600
        left = await redis.eval(POP, 5, *keys, token, what, who, keep)
        return what == "drop" and left > 0
