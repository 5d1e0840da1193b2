"""The strategy `lease`: what a live function does with the scripts. The package's docstring argues the protocol."""

import asyncio
from typing import ClassVar

import httpx

from engine.buffer.errors import HandOverError, HandOverRefused
from engine.buffer.lease.adoption import Adoption
from engine.buffer.lease.dead_letters import DeadLetter
from engine.buffer.lease.store import Claim, LeaseStore, NotClaimed
from engine.buffer.model import Backlog, Conversation, Delivery, Message, Receipt
from engine.buffer.runtime import Runtime, describe
from engine.buffer.strategy import Strategy

#: A drain goes over all shards this often before it says what is left.
DRAIN_ROUNDS = 1_000
DRAIN_PAUSE_SECONDS = 1


class Lease(Strategy):
    """A buffer that keeps every message in Redis until the processor has confirmed it."""

    name = "lease"
    tick_ms: ClassVar[int | None] = 10_000
    shared_keys = frozenset({"dead:*"})

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._store = LeaseStore(runtime)
        self._adoption = Adoption(runtime, self._store) if runtime.settings.adopt_plan_buffers else None
        #: Conversations whose timer runs in this function: a hint that saves calls, never what anything relies on.
        self._armed: set[Conversation] = set()
        #: Conversations that this function's sweep is delivering now.
        self._sweeping: set[Conversation] = set()
        self._ticks = 0

    async def receive(self, message: Message) -> Receipt:
        """Take one message in one round trip; a repeat is accepted again and changes nothing."""
        taken = await self._store.add(message)
        if taken.wait_seconds is not None and (taken.created or taken.repeated):
            self._arm(message.conversation, taken.wait_seconds)
        return Receipt(buffer_created=taken.created, repeated=taken.repeated)

    async def deliver(self, conversation: Conversation) -> Delivery:
        """Claim what is due, hand it over, acknowledge. Called twice, early or late, it does what is right then."""
        if self._adoption is not None:
            await self._adoption.adopt(conversation)
        claim = await self._store.claim(conversation)
        if isinstance(claim, NotClaimed):
            if claim.why == "early" and claim.wait_seconds is not None:
                self._arm(conversation, claim.wait_seconds)
            return Delivery()
        return await self._hand_over(claim)

    async def tick(self) -> None:
        """Find what is due or abandoned, whoever armed it, and deliver it in tasks: a slow batch delays no other."""
        self._ticks += 1
        if self._adoption is not None and self._adoption.is_due(self._ticks):
            await self._adoption.adopt_all(self._ticks)
        shards = self.runtime.settings.shards
        for offset in range(shards):
            room = self.runtime.settings.sweep_concurrency - len(self._sweeping)
            if room <= 0:
                return  # the next tick begins at another shard, so none starves
            for conversation in await self._store.due((self._ticks + offset) % shards, room + len(self._sweeping)):
                if conversation not in self._sweeping and len(self._sweeping) < self.runtime.settings.sweep_concurrency:
                    self._sweeping.add(conversation)
                    self.runtime.start(self._sweep(conversation))

    async def backlog(self) -> Backlog:
        """What the due indexes hold."""
        return await self._store.backlog()

    async def drain(self) -> int:
        """Hand over everything now, due or not: before a rollback, when no function takes messages any more.

        Returns how many conversations are left after a bounded number of rounds: 0, unless the processor keeps failing.
        """
        left = 0
        for _ in range(DRAIN_ROUNDS):
            left = 0
            for shard in range(self.runtime.settings.shards):
                for conversation in await self._store.unfinished(shard):
                    claim = await self._store.claim(conversation, early=True)
                    if isinstance(claim, Claim):
                        await self._hand_over(claim)
                left += len(await self._store.unfinished(shard))
            if left == 0:
                break
            await self.runtime.sleep(DRAIN_PAUSE_SECONDS)
        return left

    async def _hand_over(self, claim: Claim) -> Delivery:
        if claim.claims > 1:
            self.runtime.note("claimed again", key=claim.key, claims=claim.claims, failures=claim.failures)
        try:
            await self.runtime.hand_over(claim.messages, key=claim.key, fence=claim.fence)
        except asyncio.CancelledError:
            # A graceful stop whose time is over. The next holder's hand-over has the same key and joins the work, if there is any.
            await self._store.give_back(claim, backoff_seconds=0, failed=False)
            raise
        except HandOverRefused:
            # Somebody claimed it after us. If the token still holds all the same, the next claim gets a newer one.
            await self._store.give_back(claim, backoff_seconds=self._backoff_seconds(0), failed=False)
            return Delivery(success=False)
        except HandOverError as error:
            return await self._not_confirmed(claim, error)
        finished, wait_seconds = await self._store.finish(claim)
        if finished:
            await self.runtime.report_status(claim.keys.conversation, "success")
        self._arm_next(claim, wait_seconds)
        return Delivery(processed=len(claim.messages))

    async def _not_confirmed(self, claim: Claim, error: HandOverError) -> Delivery:
        if claim.failures < self.runtime.settings.max_retry_attempts:
            backoff_seconds = self._backoff_seconds(claim.failures)
            if await self._store.give_back(claim, backoff_seconds=backoff_seconds, failed=True):
                self._arm(claim.keys.conversation, backoff_seconds)
            return Delivery(success=False)
        # Said first, moved then: a crash in between leaves it in flight, to be tried and said once more.
        reason = f"{claim.failures + 1} hand-overs were not confirmed, the last one: {describe(error)}"
        await self.runtime.dead_letter(claim.messages, reason)
        letter = DeadLetter.of(claim, reason, self.runtime.now())
        finished, wait_seconds = await self._store.finish(claim, dead_letter=letter.to_json())
        if finished:
            await self.runtime.report_status(claim.keys.conversation, "failed")
        self._arm_next(claim, wait_seconds)
        return Delivery(success=False)

    def _backoff_seconds(self, failures: int) -> float:
        """Exponential, bounded, with jitter: batches that failed together do not come back together."""
        settings = self.runtime.settings
        full_ms: int = min(settings.retry_backoff_ms << failures, settings.retry_backoff_ms_max)
        return full_ms * self.runtime.random.uniform(0.5, 1) * settings.time_scale / 1_000

    def _arm_next(self, claim: Claim, wait_seconds: float | None) -> None:
        if wait_seconds is not None:
            self._arm(claim.keys.conversation, wait_seconds)

    def _arm(self, conversation: Conversation, wait_seconds: float) -> None:
        """Start this function's timer for a conversation, so that its batch goes out on time and not at a sweep."""
        if conversation not in self._armed:
            self._armed.add(conversation)
            self.runtime.start(self._deliver_later(conversation, wait_seconds))

    async def _deliver_later(self, conversation: Conversation, wait_seconds: float) -> None:
        try:
            await self.runtime.sleep(wait_seconds)
        finally:
            self._armed.discard(conversation)
        await self._post(conversation)

    async def _sweep(self, conversation: Conversation) -> None:
        try:
            # No endpoint answered as it should: hand over here, rather than never where BASE_URL is wrong.
            if not await self._post(conversation):
                await self.deliver(conversation)
        finally:
            self._sweeping.discard(conversation)

    async def _post(self, conversation: Conversation) -> bool:
        """Have a live function's endpoint deliver, which the platform keeps alive until it answered."""
        try:
            status, _ = await self.runtime.post_delivery(conversation)
        except (httpx.HTTPError, TimeoutError):
            return False  # it may have been delivered; if not, a sweep finds it
        return 200 <= status < 300
