"""A small correct design, made of parts that each broken one exchanges: scripts are class attributes, steps are methods."""

import json
from typing import Any, ClassVar

from engine.buffer import Conversation, HandOverError, HandOverRefused, Message, Receipt, Strategy

NOW = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
"""


def changed(source: str, old: str, new: str) -> str:
    """A script with one place changed. Raises `ValueError` if it is not there, so that no defect is planted in vain."""
    if old not in source:
        raise ValueError(f"there is no {old!r} in the script any more")
    return source.replace(old, new)


class Core(Strategy):
    """Pending list, batch in flight, lease, marker per message; a tick polls two indexes. Holds every invariant."""

    name = "core"
    tick_ms: ClassVar[int | None] = 1_000
    lease_ms = 150_000

    ADD: ClassVar[str] = (
        NOW
        + """
if redis.call('SET', KEYS[3], 1, 'NX') then
  redis.call('RPUSH', KEYS[2], ARGV[2])
  redis.call('ZADD', KEYS[1], 'NX', now + ARGV[3], ARGV[1])
  return 1
end
if redis.call('PTTL', KEYS[3]) > 0 then redis.call('EXPIRE', KEYS[3], ARGV[4]) end
return 0
"""
    )
    FIND: ClassVar[str] = (
        NOW
        + """
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do found[#found + 1] = name end
return found
"""
    )
    CLAIM: ClassVar[str] = (
        NOW
        + """
if redis.call('EXISTS', KEYS[4]) == 1 then
  if tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1])) > now then return {} end
else
  local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
  if not due or tonumber(due) > now then return {} end
  redis.call('RENAME', KEYS[3], KEYS[4])
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HSET', KEYS[5], 'key', ARGV[3], 'tries', 0)
end
local fence = math.max(now, (tonumber(redis.call('HGET', KEYS[5], 'fence')) or 0) + 1)
redis.call('HSET', KEYS[5], 'fence', string.format('%.0f', fence))
redis.call('PERSIST', KEYS[5])
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
return {redis.call('HGET', KEYS[5], 'key'), string.format('%.0f', fence), redis.call('HGET', KEYS[5], 'tries'),
  redis.call('LRANGE', KEYS[4], 0, -1)}
"""
    )
    SETTLE: ClassVar[str] = (
        NOW
        + """
if redis.call('HGET', KEYS[3], 'fence') ~= ARGV[2] or redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
if ARGV[3] ~= '' then
  redis.call('HINCRBY', KEYS[3], 'tries', 1)
  redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
  return 1
end
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[3], ARGV[4])
for i = 4, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[4]) end
return 1
"""
    )

    # -- the way in --------------------------------------------------------------------------------------------------

    async def receive(self, message: Message) -> Receipt:
        """Append and arm, once."""
        await self.add(message)
        return Receipt()

    async def add(self, message: Message) -> Any:
        """One script: mark, append, arm."""
        name = self.name_of(message.conversation)
        keys = ["due", f"pending:{name}", self.seen(name, message), f"state:{name}"]
        args = [name, self.pack(message), self.delay_ms, self.marker_s]
        return await self.runtime.redis.eval(self.ADD, 4, *keys, *args)

    def name_of(self, conversation: Conversation) -> str:
        """An unambiguous text for a conversation."""
        return json.dumps([conversation.instance_name, conversation.user_phone])

    def conversation_of(self, name: bytes) -> Conversation:
        """The conversation of such a text."""
        instance, phone = json.loads(name)
        return Conversation(instance_name=instance, user_phone=phone)

    def seen(self, name: str, message: Message) -> str:
        """The key of a message's repeat marker."""
        return f"seen:{name}:{message.message_id!a}"

    def pack(self, message: Message) -> str:
        """A message as an opaque text in ASCII."""
        return json.dumps([message.message_id, message.text, message.data])

    def unpack(self, payload: bytes, conversation: Conversation) -> Message:
        """The message of such a text."""
        message_id, text, data = json.loads(payload)
        return Message(conversation=conversation, message_id=message_id, text=text, data=data)

    @property
    def delay_ms(self) -> int:
        """How long a buffer waits."""
        return self.runtime.settings.buffer_delay_ms

    @property
    def marker_s(self) -> int:
        """How long a finished message's repeats are known."""
        return self.runtime.settings.repeat_horizon_seconds + 600

    # -- the way out -------------------------------------------------------------------------------------------------

    async def tick(self) -> None:
        """Start a delivery of whatever is due or abandoned."""
        for name in await self.runtime.redis.eval(self.FIND, 2, "due", "leases"):
            self.runtime.start(self.work(name))

    async def work(self, name: bytes) -> None:
        """Claim a batch, hand it over, settle it."""
        claim = await self.claim(name)
        if not claim:
            return
        key, fence, tries, payloads = claim
        messages = [self.unpack(payload, self.conversation_of(name)) for payload in payloads]
        await self.process(name, key.decode(), int(fence), int(tries), messages)

    async def claim(self, name: bytes) -> Any:
        """Key, fence, tries and payloads of the batch; empty if it is not due, or held."""
        text = name.decode()
        keys = ["due", "leases", f"pending:{text}", f"flight:{text}", f"state:{text}"]
        batch_id = f"{self.runtime.random.getrandbits(64):016x}"
        return await self.runtime.redis.eval(self.CLAIM, 5, *keys, name, self.lease_ms, batch_id)

    async def process(self, name: bytes, key: str, fence: int, tries: int, messages: list[Message]) -> None:
        """Hand a claimed batch over; settle it, give it back, or give it up."""
        conversation = self.conversation_of(name)
        try:
            await self.hand_over(messages, key, fence)
        except HandOverRefused:
            return
        except HandOverError as error:
            await self.failed(name, fence, tries, messages, error)
            return
        await self.settle(name, fence, messages)
        await self.runtime.report_status(conversation, "success")

    async def hand_over(self, messages: list[Message], key: str, fence: int) -> None:
        """The hand-over itself."""
        await self.runtime.hand_over(messages, key=key, fence=fence)

    async def failed(self, name: bytes, fence: int, tries: int, messages: list[Message], error: HandOverError) -> None:
        """Give the batch back for another try, or up."""
        if tries < self.runtime.settings.max_retry_attempts:
            await self.settle(name, fence, messages, str(1_000 << tries))
            return
        await self.runtime.dead_letter(messages, str(error))
        await self.settle(name, fence, messages)
        await self.runtime.report_status(self.conversation_of(name), "failed")

    async def settle(self, name: bytes, fence: int, messages: list[Message], back_off_ms: str = "") -> None:
        """Finish a batch that is still ours, or give it back."""
        text = name.decode()
        keys = ["leases", f"flight:{text}", f"state:{text}", *(self.seen(text, message) for message in messages)]
        await self.runtime.redis.eval(self.SETTLE, len(keys), *keys, name, fence, back_off_ms, self.marker_s)
