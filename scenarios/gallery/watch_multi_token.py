"""`watch_multi_token`: `WATCH`, `HGETALL`, `MULTI` {`HSET` list and token}; after the window: token unchanged → take all.

What would repair it: try again on a `WatchError` instead of giving up, and keep what was taken until the processor has
confirmed it.
"""

import json

from redis.exceptions import WatchError

from engine.buffer import Conversation, Message, Receipt, Strategy
from scenarios.gallery.common import entry_of, key_of, messages_of

TAKE = """-- take_if_token: take the whole buffer if nobody has written since
-- KEYS: 1 buffer; ARGV: 1 token; returns: the list, or nil
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return false end
local list = redis.call('HGET', KEYS[1], 'list')
redis.call('DEL', KEYS[1])
return list
"""


class WatchMultiToken(Strategy):
    """Optimistic locking; the last writer's timer takes the buffer."""

    name = "watch_multi_token"

    async def receive(self, message: Message) -> Receipt:
        """Append under WATCH; a conflict gives up."""
        key = key_of("hash", message.conversation)
        token = f"{self.runtime.random.getrandbits(64):016x}"
        async with self.runtime.redis.pipeline(transaction=True) as pipe:
            try:
                await pipe.watch(key)
                stored = await pipe.hgetall(key)
                entries = json.loads(stored[b"list"]) if stored else []
                entries.append(entry_of(message))
                pipe.multi()  # type: ignore[no-untyped-call]
                pipe.hset(key, mapping={"list": json.dumps(entries), "token": token})
                pipe.expire(key, self.runtime.settings.buffer_ttl_seconds)
                await pipe.execute()
            except WatchError:
                self.runtime.note("gave up on a conflict")
                return Receipt(success=True)
        self.runtime.start(self._take_later(message.conversation, token))
        return Receipt(buffer_created=not stored)

    async def _take_later(self, conversation: Conversation, token: str) -> None:
        await self.runtime.sleep(self.runtime.settings.buffer_delay_ms / 1000)
        taken = await self.runtime.redis.eval(TAKE, 1, key_of("hash", conversation), token)
        if taken:
            entries = [entry.encode() for entry in json.loads(taken)]
            await self.runtime.hand_over(messages_of(conversation, entries))
