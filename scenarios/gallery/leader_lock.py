"""`leader_lock`: `RPUSH`, `EXPIRE` 30; who gets `SET lock NX EX` sleeps the window, `LRANGE`, hands over, `DEL` list, `DEL` lock.

What would repair it: move the list away in one step when it is read, and try again what the processor did not confirm, instead
of deleting it.
"""

from engine.buffer import Conversation, HandOverError, Message, Receipt, Strategy
from scenarios.gallery.common import entry_of, key_of, messages_of


class LeaderLock(Strategy):
    """The first who gets the lock answers for all."""

    name = "leader_lock"

    async def receive(self, message: Message) -> Receipt:
        """Append, and try to be the leader."""
        conversation = message.conversation
        key = key_of("list", conversation)
        await self.runtime.redis.rpush(key, entry_of(message))
        await self.runtime.redis.expire(key, 30)
        window_s = self.runtime.settings.buffer_delay_ms / 1000
        leader = await self.runtime.redis.set(key_of("lead", conversation), "1", nx=True, ex=round(window_s) + 1)
        if leader:
            self.runtime.start(self._lead(conversation, window_s))
        return Receipt(buffer_created=bool(leader))

    async def _lead(self, conversation: Conversation, window_s: float) -> None:
        await self.runtime.sleep(window_s)
        key = key_of("list", conversation)
        entries = await self.runtime.redis.lrange(key, 0, -1)
        if entries:
            try:
                await self.runtime.hand_over(messages_of(conversation, entries))
            except HandOverError:
                self.runtime.note("hand-over failed, swallowed")
        await self.runtime.redis.delete(key)
        await self.runtime.redis.delete(key_of("lead", conversation))
