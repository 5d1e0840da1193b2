"""Workers that wait on BLMOVE, started with the function; what a crashed one left is taken back by a tick."""

from typing import Any, ClassVar

from redis.exceptions import RedisError
from shelf import conversation_of, name_of, packed, unpacked

from engine.buffer import HandOverError, Message, Receipt, Strategy

ADD = """
if redis.call('SET', KEYS[2], 'x', 'NX', 'EX', ARGV[2]) then redis.call('RPUSH', KEYS[1], ARGV[1]) end
return 1
"""
TAKE_BACK = """
local taken = 0
while redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT') do taken = taken + 1 end
return taken
"""


class BlockingWorkers(Strategy):
    """A message is in the queue or in a worker's list until it is confirmed."""

    name = "blocking_workers"
    tick_ms: ClassVar[int | None] = 20_000

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self._mine = f"taken:{runtime.random.getrandbits(64):016x}"
        runtime.start(self._worker())

    async def receive(self, message: Message) -> Receipt:
        """Queue the message, once in a day."""
        name = name_of(message.conversation)
        seen = f"seen:{name}:{message.message_id!a}"
        await self.runtime.redis.eval(ADD, 2, "queue", seen, f"{name}\n{packed(message)}", 86_400)
        return Receipt()

    async def tick(self) -> None:
        """Show that this worker lives, and take back what dead ones left."""
        redis: Any = self.runtime.redis
        await redis.set(f"alive:{self._mine}", 1, ex=600)
        async for key in redis.scan_iter(match="taken:*"):
            if not await redis.exists(b"alive:" + key):
                await redis.eval(TAKE_BACK, 2, key, "queue")

    async def _worker(self) -> None:
        redis: Any = self.runtime.redis
        while True:
            try:
                await redis.set(f"alive:{self._mine}", 1, ex=600)
                payload = await redis.lindex(self._mine, 0)
                payload = payload or await redis.blmove("queue", self._mine, 4, "LEFT", "RIGHT")
                if payload is not None:
                    await self._work(payload)
            except RedisError:
                await self.runtime.sleep(1)

    async def _work(self, payload: bytes) -> None:
        name, _, packed_message = payload.decode().partition("\n")
        message = unpacked(packed_message, conversation_of(name))
        try:
            await self.runtime.hand_over([message], key=f"{name}/{message.message_id!a}")
        except HandOverError:
            await self.runtime.sleep(1)
            return
        await self.runtime.redis.lrem(self._mine, 1, payload)
