"""Redis Streams with a consumer group: each entry is handed over under its message's id, and acknowledged then."""

from typing import Any, ClassVar

from redis.exceptions import ResponseError
from shelf import conversation_of, name_of, packed, unpacked

from engine.buffer import HandOverError, Message, Receipt, Strategy

STREAM, GROUP = "inbox", "workers"
IDLE_MS = 180_000
ADD = """
if redis.call('SET', KEYS[2], 'x', 'NX') then redis.call('XADD', KEYS[1], '*', 'name', ARGV[1], 'payload', ARGV[2]) end
return 1
"""
DONE = """
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
"""


class Streams(Strategy):
    """Answers each message by itself. What a consumer leaves lying is claimed by another after three minutes."""

    name = "streams"
    tick_ms: ClassVar[int | None] = 2_000
    shared_keys = frozenset({STREAM})

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self._ready = False

    async def receive(self, message: Message) -> Receipt:
        """Add an entry, once."""
        name = name_of(message.conversation)
        await self.runtime.redis.eval(ADD, 2, STREAM, self._seen(name, message.message_id), name, packed(message))
        return Receipt()

    async def tick(self) -> None:
        """Read what is new, and what was left lying."""
        redis: Any = self.runtime.redis
        if not self._ready:
            try:
                await redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
            self._ready = True
        me = self.runtime.name
        _, left, *_ = await redis.xautoclaim(STREAM, GROUP, me, IDLE_MS, "0-0", count=10)
        entries = [entry for entry in left if entry[1]]
        new = await redis.xreadgroup(GROUP, me, {STREAM: ">"}, count=10)
        for _, found in new or []:
            entries += found
        for entry_id, fields in entries:
            self.runtime.start(self._work(entry_id, fields))

    async def _work(self, entry_id: bytes, fields: dict[bytes, bytes]) -> None:
        name = fields[b"name"].decode()
        message = unpacked(fields[b"payload"], conversation_of(name))
        seen = self._seen(name, message.message_id)
        try:
            await self.runtime.hand_over([message], key=seen)
        except HandOverError:
            return
        marker_s = self.runtime.settings.repeat_horizon_seconds + 600
        await self.runtime.redis.eval(DONE, 2, STREAM, seen, GROUP, entry_id, marker_s)

    def _seen(self, name: str, message_id: str) -> str:
        return f"seen:{name}:{message_id!a}"
