"""LMOVE from a list to the worker's own, and back from the lists of workers that are gone: the classic reliable queue."""

from typing import Any, ClassVar

from shelf import conversation_of, name_of, packed, unpacked

from engine.buffer import HandOverError, Message, Receipt, Strategy

ADD = """
if redis.call('SADD', KEYS[2], ARGV[1]) == 1 then redis.call('LPUSH', KEYS[1], ARGV[2]) end
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
"""


class ReliableQueue(Strategy):
    """Hands over message by message, the oldest first. The repeat marks are a set that ends with the conversation."""

    name = "reliable_queue"
    tick_ms: ClassVar[int | None] = 500

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self._mine = f"work:{runtime.random.getrandbits(64):016x}"

    async def receive(self, message: Message) -> Receipt:
        """Queue the message, once."""
        name = name_of(message.conversation)
        payload = f"{name}\n{packed(message)}"
        week_s = 7 * 24 * 3600
        await self.runtime.redis.eval(
            ADD, 2, "queue", f"seen:{name}", message.message_id.encode("utf-8", "surrogatepass"), payload, week_s
        )
        return Receipt()

    async def tick(self) -> None:
        """Take back what gone workers left, then work through the queue."""
        redis: Any = self.runtime.redis
        await redis.set(f"alive:{self._mine}", 1, ex=400)
        async for key in redis.scan_iter(match="work:*"):
            if key != self._mine.encode() and not await redis.exists(b"alive:" + key):
                while await redis.lmove(key, "queue", "LEFT", "RIGHT"):
                    self.runtime.note("taken back")
        while True:
            payload = await redis.lindex(self._mine, -1) or await redis.lmove("queue", self._mine, "RIGHT", "LEFT")
            if payload is None:
                return
            name, _, packed_message = payload.decode().partition("\n")
            message = unpacked(packed_message, conversation_of(name))
            try:
                await self.runtime.hand_over([message], key=f"{name}/{message.message_id!a}")
            except HandOverError:
                await self.runtime.sleep(1)
                continue
            await redis.lrem(self._mine, 1, payload)
