"""One list for all, one leader that empties it, batches in one hash; the leader's term is its fence."""

import json
from typing import Any, ClassVar

from redis.exceptions import RedisError

from engine.buffer import Conversation, HandOverError, HandOverRefused, Message, Receipt, Strategy

LEAD = """
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
# Moves what has come into the batches, then gives those that are due. All state of all conversations lies in one hash.
ROUND = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {} end
local given = {}
local book = {}
local flat = redis.call('HGETALL', KEYS[3])
for i = 1, #flat, 2 do book[flat[i]] = flat[i + 1] end
local entries = redis.call('LRANGE', KEYS[2], 0, -1)
local first, members, order = {}, {}, {}
for place, entry in ipairs(entries) do
  local at, who = string.match(entry, '^(%d+) (%x+) ')
  if not first[who] then
    first[who] = tonumber(at)
    members[who] = {}
    order[#order + 1] = who
  end
  table.insert(members[who], entry)
end
for _, who in ipairs(order) do
  if not book['key ' .. who] and first[who] + ARGV[2] <= now then
    local key = ARGV[3] .. '-' .. who
    redis.call('HSET', KEYS[3], 'key ' .. who, key, 'tries ' .. who, 0, 'until ' .. who, 0, 'size ' .. who, #members[who])
    book['key ' .. who], book['tries ' .. who], book['until ' .. who], book['size ' .. who] = key, '0', '0', tostring(#members[who])
  end
  if book['key ' .. who] and tonumber(book['until ' .. who]) <= now then
    redis.call('HSET', KEYS[3], 'until ' .. who, now + ARGV[4])
    local fence = string.format('%.0f', now)
    redis.call('HSET', KEYS[3], 'fence ' .. who, fence)
    local batch = {book['key ' .. who], fence, book['tries ' .. who]}
    for i = 1, tonumber(book['size ' .. who]) do batch[#batch + 1] = members[who][i] end
    given[#given + 1] = batch
  end
end
return given
"""
PUSH = """
if redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[3]) then
  local t = redis.call('TIME')
  local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
  redis.call('RPUSH', KEYS[1], now .. ' ' .. ARGV[1] .. ' ' .. ARGV[2])
end
return 1
"""
SETTLE = """
local who = ARGV[1]
if redis.call('HGET', KEYS[2], 'key ' .. who) ~= ARGV[2] or redis.call('HGET', KEYS[2], 'fence ' .. who) ~= ARGV[3] then return 0 end
if ARGV[4] == 'again' then
  redis.call('HINCRBY', KEYS[2], 'tries ' .. who, 1)
  redis.call('HSET', KEYS[2], 'until ' .. who, 0)
  return 1
end
for i = 5, #ARGV do redis.call('LREM', KEYS[1], 1, ARGV[i]) end
for _, what in ipairs({'key ', 'tries ', 'until ', 'size ', 'fence '}) do redis.call('HDEL', KEYS[2], what .. who) end
return 1
"""


class OneList(Strategy):
    """A leader by an expiring key, renewed by each of its ticks."""

    name = "one_list"
    tick_ms: ClassVar[int | None] = 1_000
    shared_keys = frozenset({"leader"})

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self.me = f"{runtime.random.getrandbits(64):016x}"
        self.rounds = 0

    async def receive(self, message: Message) -> Receipt:
        who = json.dumps([message.conversation.instance_name, message.conversation.user_phone]).encode().hex()
        body = json.dumps([message.message_id, message.text, message.data])
        await self.runtime.redis.eval(PUSH, 2, "inbox", f"seen:{who}:{message.message_id!a}", who, body, 86_400)
        return Receipt()

    async def tick(self) -> None:
        redis, settings = self.runtime.redis, self.runtime.settings
        if not await redis.eval(LEAD, 1, "leader", self.me, 10_000):
            return
        self.rounds += 1
        key, lease_ms = f"{self.me}-{self.rounds}", 155_000
        given = await redis.eval(ROUND, 3, "leader", "inbox", "book", self.me, settings.buffer_delay_ms, key, lease_ms)
        for batch in given:
            self.runtime.start(self.hand(*batch))

    async def hand(self, key: bytes, fence: bytes, tries: bytes, *entries: bytes) -> None:
        who = entries[0].split(b" ", 2)[1].decode()
        conversation = Conversation(**dict(zip(["instance_name", "user_phone"], json.loads(bytes.fromhex(who)))))
        messages = []
        for entry in entries:
            message_id, text, data = json.loads(entry.split(b" ", 2)[2])
            messages.append(Message(conversation=conversation, message_id=message_id, text=text, data=data))
        what = "done"
        try:
            await self.runtime.hand_over(messages, key=key.decode(), fence=int(fence))
        except HandOverRefused:
            return
        except HandOverError as error:
            if int(tries) < self.runtime.settings.max_retry_attempts:
                what = "again"
                await self.runtime.sleep(0.5)
            else:
                await self.runtime.dead_letter(messages, str(error))
        await self.runtime.redis.eval(SETTLE, 2, "inbox", "book", who, key, fence, what, *entries)
