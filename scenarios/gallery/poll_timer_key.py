"""`poll_timer_key`: `RPUSH`, `SET timer EX window`; all receivers poll until it is gone, then `LRANGE`, `DEL`, hand over.

What would repair it: `LRANGE` and `DEL` as one atomic step, so that two pollers do not read the same list, and an in-flight copy
until the processor has confirmed.
"""

from engine.buffer import Conversation, Message, Receipt, Strategy
from scenarios.gallery.common import entry_of, key_of, messages_of

POLL_SECONDS = 1.0
#: A poller gives up after this many looks: a minute.
LOOKS = 60


class PollTimerKey(Strategy):
    """The timer is a key that expires; all who wait for it race for the list."""

    name = "poll_timer_key"

    async def receive(self, message: Message) -> Receipt:
        """Append, set the timer key anew, and poll."""
        conversation = message.conversation
        await self.runtime.redis.rpush(key_of("list", conversation), entry_of(message))
        window_ms = self.runtime.settings.buffer_delay_ms
        await self.runtime.redis.set(key_of("wait", conversation), "1", px=window_ms)
        self.runtime.start(self._poll(conversation))
        return Receipt(buffer_created=True)

    async def _poll(self, conversation: Conversation) -> None:
        for _ in range(LOOKS):
            if not await self.runtime.redis.exists(key_of("wait", conversation)):
                break
            await self.runtime.sleep(POLL_SECONDS)
        entries = await self.runtime.redis.lrange(key_of("list", conversation), 0, -1)
        await self.runtime.redis.delete(key_of("list", conversation))
        if entries:
            await self.runtime.hand_over(messages_of(conversation, entries))
