"""Only the function that leads looks what is due: it renews a key of three seconds in each tick."""

from typing import ClassVar

from due_index import DueIndex

from engine.buffer import Runtime


class Leader(DueIndex):
    name = "leader"
    tick_ms: ClassVar[int | None] = 1_000
    shared_keys = DueIndex.shared_keys | {"leader"}

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.token = ""

    async def tick(self) -> None:
        self.token = self.token or f"{self.runtime.random.getrandbits(64):x}"
        redis = self.runtime.redis
        if not await redis.set("leader", self.token, nx=True, px=3_000):
            if await redis.get("leader") != self.token.encode():
                return
            await redis.pexpire("leader", 3_000)
        await super().tick()
