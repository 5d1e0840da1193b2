"""Strategy `baseline`: the system before the plan. Read, change in memory, write back; no lock, no claim."""

from collections.abc import Mapping
from typing import Any, ClassVar

from redis.exceptions import RedisError

from engine.buffer.model import Conversation, Delivery, Message, Receipt
from engine.buffer.plan.delivery import schedule_delivery
from engine.buffer.plan.document import append, dump, is_open, load, mark, new_document
from engine.buffer.plan.keys import buffer_key, timer_key
from engine.buffer.plan.process import process_then_mark, read_for_add
from engine.buffer.plan.times import Times
from engine.buffer.runtime import Runtime
from engine.buffer.strategy import Strategy


class Baseline(Strategy):
    """Add: `PING`, `GET`, `SETEX`. Process: `GET`, hand over, then `GET`, `SETEX`, `DEL`."""

    name: ClassVar[str] = "baseline"
    default_settings: ClassVar[Mapping[str, Any]] = {
        "BUFFER_DELAY_MS": 8_000,
        "BUFFER_TTL_SECONDS": 15,
        "TIMER_TTL_SECONDS": 10,
        "PROCESSED_BUFFER_TTL": 30,
        "MAX_RETRY_ATTEMPTS": 0,
    }

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.times = Times(runtime.settings)

    async def receive(self, message: Message) -> Receipt:
        """Add the message; if that created the buffer, schedule its delivery."""
        receipt = await self._add(message)
        if receipt.buffer_created:
            await schedule_delivery(self.runtime, self.times, message.conversation, retries=False)
        return receipt

    async def _add(self, message: Message) -> Receipt:
        try:
            await self.runtime.redis.ping()
        except RedisError:
            return Receipt(success=False, fallback_to_immediate=True)
        document = await read_for_add(self.runtime, message.conversation)
        now = self.runtime.now()
        created = document is None or not is_open(document)
        if document is None or created:
            document = new_document(message, now)
        else:
            append(document, message, now)
        ttl = self.runtime.settings.buffer_ttl_seconds
        try:
            await self.times.write(self.runtime.redis, buffer_key(message.conversation), ttl, dump(document))
        except RedisError:
            return Receipt(success=False, fallback_to_immediate=True)
        return Receipt(buffer_created=created)

    async def deliver(self, conversation: Conversation) -> Delivery:
        """Hand over what the buffer holds, then mark whatever it holds by then."""
        return await process_then_mark(self.runtime, conversation, self._mark)

    async def _mark(self, conversation: Conversation) -> bool:
        redis = self.runtime.redis
        document = load(await redis.get(buffer_key(conversation)))
        if document is None:
            return False
        mark(document, self.runtime.now())
        ttl = self.runtime.settings.processed_buffer_ttl
        await self.times.write(redis, buffer_key(conversation), ttl, dump(document))
        await redis.delete(timer_key(conversation))
        return True
