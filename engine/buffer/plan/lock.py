"""Strategy `lock`: the plan's problems 1 to 4. A lock without an owner around the add and around the mark."""

from typing import ClassVar

from redis.exceptions import RedisError

from engine.buffer.model import Conversation, Delivery, Message, Receipt
from engine.buffer.plan.cleanup import cleanup_old_buffers
from engine.buffer.plan.delivery import schedule_delivery
from engine.buffer.plan.document import Document, age_ms, append, dump, is_open, load, mark, new_document
from engine.buffer.plan.keys import buffer_key, lock_key, timer_key
from engine.buffer.plan.process import process_then_mark, read_for_add
from engine.buffer.plan.times import Times
from engine.buffer.runtime import Runtime
from engine.buffer.strategy import Strategy


class Lock(Strategy):
    """`baseline` under `SET … NX PX 2000`, with a second look at the end of the window, retries and status keys."""

    name: ClassVar[str] = "lock"

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.times = Times(runtime.settings)

    async def receive(self, message: Message) -> Receipt:
        """Add the message under the lock; if that created the buffer, schedule its delivery."""
        while not await self._acquire(message.conversation):  # without bound, as in the plan
            await self.runtime.sleep(self.times.lock_retry_seconds)
        try:
            receipt = await self._add(message)
        finally:
            await self._release(message.conversation)
        if receipt.buffer_created:
            await schedule_delivery(self.runtime, self.times, message.conversation, retries=True)
        return receipt

    async def _add(self, message: Message) -> Receipt:
        try:
            await self.runtime.redis.ping()
        except RedisError:
            return Receipt(success=False, fallback_to_immediate=True)
        document = await self._read(message.conversation)
        now = self.runtime.now()
        created = document is None
        if document is None:
            document = new_document(message, now)
        else:
            append(document, message, now)
        ttl = self.runtime.settings.buffer_ttl_seconds
        try:
            await self.times.write(self.runtime.redis, buffer_key(message.conversation), ttl, dump(document))
        except RedisError:
            return Receipt(success=False, fallback_to_immediate=True)
        return Receipt(buffer_created=created)

    async def _read(self, conversation: Conversation) -> Document | None:
        """The open buffer to append to, or None; at the end of its window, what is there 500 ms later."""
        document = await read_for_add(self.runtime, conversation)
        if document is None or not is_open(document):
            return None
        if not self.times.in_grace(age_ms(document["firstMessageAt"], self.runtime.now())):
            return document
        if self.runtime.settings.grace_wait_ms == 0:
            return document
        self.runtime.note("grace wait")
        await self.runtime.sleep(self.times.grace_wait_seconds)  # the lock is held meanwhile, and may run out
        document = await read_for_add(self.runtime, conversation)
        return document if is_open(document) else None

    async def deliver(self, conversation: Conversation) -> Delivery:
        """Hand over what the buffer holds, without the lock; then mark, under the lock."""
        return await process_then_mark(self.runtime, conversation, self._mark)

    async def _mark(self, conversation: Conversation) -> bool:
        if not await self._acquire(conversation):
            self.runtime.note("mark given up")
            return False
        try:
            redis = self.runtime.redis
            document = load(await redis.get(buffer_key(conversation)))
            if document is None:
                return False
            mark(document, self.runtime.now())
            async with redis.pipeline(transaction=True) as transaction:
                ttl = self.runtime.settings.processed_buffer_ttl
                self.times.write(transaction, buffer_key(conversation), ttl, dump(document))
                transaction.delete(timer_key(conversation))
                await transaction.execute()
            return True
        finally:
            await self._release(conversation)

    async def cleanup(self) -> int:
        """Delete buffers processed long ago."""
        return await cleanup_old_buffers(self.runtime, self.times)

    async def _acquire(self, conversation: Conversation) -> bool:
        if not self.runtime.settings.lock_enabled:
            return True
        try:
            return bool(await self.runtime.redis.set(lock_key(conversation), "1", nx=True, px=self.times.lock_ttl_ms))
        except RedisError:
            return False

    async def _release(self, conversation: Conversation) -> None:
        """`DEL`, whoever holds it by now."""
        if not self.runtime.settings.lock_enabled:
            return
        try:
            await self.runtime.redis.delete(lock_key(conversation))
        except RedisError:
            self.runtime.note("lock not released")
