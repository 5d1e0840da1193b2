"""`token_lock_drain`: remember the id, try a token lock. Held: push to the newest 10; got it: sleep, drain, hand over.

What would repair it: remember the id together with the message in one step, keep every message, and look once more for what came
between the last `LPOP` and the release.
"""

from engine.buffer import Conversation, Message, Receipt, Strategy
from scenarios.gallery.common import entry_of, key_of, messages_of

LOCK_MS = 30_000
MARKER_SECONDS = 3_600
PUSH = """-- push_newest: append, keep the newest 10
-- KEYS: 1 list; ARGV: 1 entry, 2 TTL (ms); returns: nothing
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], -10, -1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
RELEASE = """-- release: delete the lock if it is mine
-- KEYS: 1 lock; ARGV: 1 token; returns: 1 or 0
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class TokenLockDrain(Strategy):
    """The holder of the lock answers for the others, who leave their messages in a list."""

    name = "token_lock_drain"

    async def receive(self, message: Message) -> Receipt:
        """Remember the id, then be the holder or push."""
        conversation = message.conversation
        marker = key_of("seen", conversation) + ":" + entry_of(message)[:200]
        if not await self.runtime.redis.set(marker, "1", nx=True, ex=MARKER_SECONDS):
            return Receipt()
        token = f"{self.runtime.random.getrandbits(64):016x}"
        if await self.runtime.redis.set(key_of("lock", conversation), token, nx=True, px=LOCK_MS):
            self.runtime.start(self._hold(message, token))
            return Receipt(buffer_created=True)
        await self.runtime.redis.eval(PUSH, 1, key_of("list", conversation), entry_of(message), 2 * LOCK_MS)
        return Receipt()

    async def _hold(self, message: Message, token: str) -> None:
        conversation: Conversation = message.conversation
        try:
            await self.runtime.sleep(self.runtime.settings.buffer_delay_ms / 1000)
            entries = []
            while (entry := await self.runtime.redis.lpop(key_of("list", conversation))) is not None:
                entries.append(entry)
            await self.runtime.hand_over([message, *messages_of(conversation, entries)])
        finally:
            await self.runtime.redis.eval(RELEASE, 1, key_of("lock", conversation), token)
