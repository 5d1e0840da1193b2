"""`last_pusher_lua`: `RPUSH` with an own id, sleep; then a script: the last entry is mine → `LRANGE`, `DEL`, hand over; else nothing.

What would repair it: a due time in Redis, so that a message whose pusher is gone is not waited for by nobody, and a copy in
flight until the processor has confirmed.
"""

from engine.buffer import Conversation, Message, Receipt, Strategy
from scenarios.gallery.common import entry_of, key_of, messages_of

TAKE = """-- take_if_last: take the list if its last entry is mine
-- KEYS: 1 list; ARGV: 1 my entry; returns: all entries, or an empty list
if redis.call('LINDEX', KEYS[1], -1) ~= ARGV[1] then return {} end
local entries = redis.call('LRANGE', KEYS[1], 0, -1)
redis.call('DEL', KEYS[1])
return entries
"""


class LastPusherLua(Strategy):
    """Whoever pushed last takes all, atomically."""

    name = "last_pusher_lua"

    async def receive(self, message: Message) -> Receipt:
        """Append with an id of one's own, and look after the window."""
        entry = entry_of(message, mine=f"{self.runtime.random.getrandbits(64):016x}")
        await self.runtime.redis.rpush(key_of("list", message.conversation), entry)
        self.runtime.start(self._take_later(message.conversation, entry))
        return Receipt(buffer_created=True)

    async def _take_later(self, conversation: Conversation, entry: str) -> None:
        await self.runtime.sleep(self.runtime.settings.buffer_delay_ms / 1000)
        entries = await self.runtime.redis.eval(TAKE, 1, key_of("list", conversation), entry)
        if entries:
            await self.runtime.hand_over(messages_of(conversation, entries))
