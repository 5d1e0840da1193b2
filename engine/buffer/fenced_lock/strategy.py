"""What a live function does under the two locks of `fenced_lock`; see the package's docstring."""

from typing import Any, ClassVar

import httpx

from engine.buffer.errors import HandOverError, HandOverRefused
from engine.buffer.fenced_lock.locks import PACKAGE, LockNotTaken, OwnedLock
from engine.buffer.lease.names import Keys, Keyspace, conversation_of
from engine.buffer.lease.store import marker_ms, message_of, payload_of
from engine.buffer.model import Conversation, Delivery, Message, Receipt
from engine.buffer.runtime import Runtime, describe, encode
from engine.buffer.scripts import Script
from engine.buffer.strategy import Strategy

ADD_LOCK_MS = 10_000
WORK_LOCK_MS = 30_000
#: How long an add waits for the lock: longer than a crashed holder's lock lives, shorter than the webhook's time-out.
LOCK_WAIT_MS = 15_000
SWEEP_AT_ONCE = 64


class FencedLock(Strategy):
    """A locked buffer whose every write is checked against the lock's token or the fence."""

    name = "fenced_lock"
    tick_ms: ClassVar[int | None] = 10_000
    shared_keys = frozenset({"dead:*"})

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._keyspace = Keyspace("fl", runtime.settings.shards)
        self._scale = runtime.settings.time_scale
        self._delay_us = round(runtime.settings.buffer_delay_ms * 1_000 * self._scale)
        self._marker_ms = marker_ms(runtime.settings)
        self._sweeping: set[Conversation] = set()

    async def receive(self, message: Message) -> Receipt:
        """Store a message under the lock. Raises if the lock can't be had, or was lost meanwhile."""
        keys = self._keyspace.of(message.conversation)
        lock = OwnedLock(self.runtime, keys.part("lock"), self._scaled_ms(ADD_LOCK_MS))
        await lock.take(self._scaled_ms(LOCK_WAIT_MS))
        try:
            created = await self._script("add.lua").run(
                self.runtime.redis,
                keys=[*self._parts(keys), keys.seen(message.message_id), lock.key],
                args=[keys.member, payload_of(message), self._delay_us, self._marker_ms, lock.token],
            )
        finally:
            await lock.release()
        if created == -1:
            raise LockNotTaken(f"{lock.key} was lost")
        if created:
            self._deliver_after(message.conversation, self._delay_us / 1_000_000)
        return Receipt(buffer_created=bool(created))

    async def deliver(self, conversation: Conversation) -> Delivery:
        """Take a batch under the work lock, hand it over, acknowledge it under the same lock."""
        keys = self._keyspace.of(conversation)
        lock = OwnedLock(self.runtime, keys.part("work"), self._scaled_ms(WORK_LOCK_MS))
        try:
            await lock.take(0)
        except LockNotTaken:
            return Delivery()  # another is at work; the sweep comes back to what is left
        self.runtime.start(lock.renew_until_released())
        try:
            return await self._work(keys, conversation, lock)
        finally:
            await lock.release()

    async def _work(self, keys: Keys, conversation: Conversation, lock: OwnedLock) -> Delivery:
        taken = await self._script("take.lua").run(
            self.runtime.redis, keys=[*self._parts(keys), lock.key], args=[keys.member, lock.token, keys.digest]
        )
        if not taken:
            return Delivery()
        key, fence, failures, raw = taken
        messages = [message_of(payload.decode("ascii"), conversation) for payload in raw]
        try:
            await self.runtime.hand_over(messages, key=key.decode(), fence=int(fence))
        except HandOverRefused:
            return Delivery(success=False)  # a newer holder is at work
        except HandOverError as error:
            return await self._not_confirmed(keys, messages, fence, int(failures), error)
        if await self._finish(keys, messages, fence):
            await self.runtime.report_status(conversation, "success")
            self._deliver_after(conversation, self._delay_us / 1_000_000)
        return Delivery(processed=len(messages))

    async def _not_confirmed(
        self, keys: Keys, messages: list[Message], fence: bytes, failures: int, error: HandOverError
    ) -> Delivery:
        settings = self.runtime.settings
        if failures < settings.max_retry_attempts:
            full_ms = min(settings.retry_backoff_ms * 2**failures, settings.retry_backoff_ms_max)
            backoff_ms = full_ms * self.runtime.random.uniform(0.5, 1) * self._scale
            await self._finish(keys, messages, fence, backoff_us=round(backoff_ms * 1_000))
            self._deliver_after(keys.conversation, backoff_ms / 1_000)
            return Delivery(success=False)
        reason = f"{failures + 1} hand-overs were not confirmed, the last one: {describe(error)}"
        await self.runtime.dead_letter(messages, reason)
        letter = encode({"reason": reason, "payloads": [payload_of(m) for m in messages]}).decode("ascii")
        if await self._finish(keys, messages, fence, dead_letter=letter):
            await self.runtime.report_status(keys.conversation, "failed")
        return Delivery(success=False)

    async def tick(self) -> None:
        """Find what is due or was abandoned, and deliver it in tasks."""
        for shard in range(self.runtime.settings.shards):
            due = Script.load("engine.buffer.lease", "due.lua")
            members = await due.run(self.runtime.redis, keys=[self._keyspace.due(shard)], args=[SWEEP_AT_ONCE])
            for conversation in map(conversation_of, members):
                if conversation not in self._sweeping:
                    self._sweeping.add(conversation)
                    self.runtime.start(self._sweep(conversation))

    async def _sweep(self, conversation: Conversation) -> None:
        try:
            await self._post(conversation)
        finally:
            self._sweeping.discard(conversation)

    async def _finish(
        self, keys: Keys, messages: list[Message], fence: bytes, *, backoff_us: int = -1, dead_letter: str = ""
    ) -> bool:
        result: Any = await self._script("finish.lua").run(
            self.runtime.redis,
            keys=[*self._parts(keys), keys.dead, *(keys.seen(m.message_id) for m in messages)],
            args=[keys.member, fence, self._marker_ms, backoff_us, dead_letter],
        )
        return bool(result)

    def _scaled_ms(self, design_ms: int) -> int:
        return max(1, round(design_ms * self._scale))

    def _parts(self, keys: Keys) -> list[str]:
        return [keys.due, keys.part("state"), keys.part("pending"), keys.part("batch")]

    def _deliver_after(self, conversation: Conversation, seconds: float) -> None:
        async def later() -> None:
            await self.runtime.sleep(seconds)
            await self._post(conversation)

        self.runtime.start(later())

    async def _post(self, conversation: Conversation) -> None:
        try:
            await self.runtime.post_delivery(conversation)
        except (httpx.HTTPError, TimeoutError):
            self.runtime.note("delivery not answered")  # the sweep comes back to it

    def _script(self, filename: str) -> Script:
        return Script.load(PACKAGE, filename)
