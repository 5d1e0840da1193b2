"""An idempotent processor: the store that drops a repeated key and refuses an old fence.

A key makes an effect happen once only in one of two forms:

(a) *Effect and key commit together.* The effect is a write to the very store that keeps the keys, in the same transaction:
    `IdempotencyStore.commit`. There is no state in between, so nothing is ever in doubt.
(b) *The effect takes the key itself.* What is called (a payment service, a mail gateway) drops repeats by the key that it is
    given. Then this store only saves calls: hand the key on, and let `at_least_once` stand.

Everything else has a state in between: begun, and the process died before it said how it ended. No store can know then whether
the customer was answered. The policy says what becomes of it:

- `at_least_once`: it is done again when it is handed over again. Nothing is lost; it may happen twice.
- `at_most_once`: it is left, and answered as in doubt. Nothing happens twice; it may be lost.

While somebody is at work a second hand-over of the key waits (`at_work`) until the claim's time is over.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Literal

from redis.asyncio import Redis

from engine.buffer.scripts import Script

Policy = Literal["at_least_once", "at_most_once"]


class Admission(StrEnum):
    """What a hand-over may do."""

    WORK = "work"
    """It is ours: have the effect, then `complete`."""
    REPEATED = "repeated"
    """The effect was had: answer at once, 2xx."""
    AT_WORK = "at_work"
    """Another is at it: answer 503, to be asked again."""
    IN_DOUBT = "in_doubt"
    """Begun and never ended, under `at_most_once`: answer 2xx and look into it."""
    STALE = "stale"
    """A higher fence was seen for the conversation: answer 409."""


class IdempotencyStore(ABC):
    """Where keys and fences are kept. One implementation uses Redis; any store with transactions can have one."""

    @abstractmethod
    async def begin(self, conversation: str, key: str, fence: int | None) -> Admission:
        """Whether this hand-over may work. `conversation` is any unambiguous name of it."""

    @abstractmethod
    async def complete(self, key: str) -> None:
        """The effect was had; the key is kept as long as repeats may come."""

    @abstractmethod
    async def abandon(self, key: str) -> None:
        """The effect was surely not had: the key is free again."""

    @abstractmethod
    async def commit(self, conversation: str, key: str, fence: int | None, effects_key: str, effect: str) -> Admission:
        """Form (a): the effect is appended to a list of this store, together with the key. `WORK` means: it is done."""


class RedisIdempotencyStore(IdempotencyStore):
    """Keys and fences in Redis. `work_ms`: how long a begun effect counts as at work; `keep_ms`: how long keys are kept.

    `keep_ms` must outlast every repeat of a hand-over. All keys carry one hash tag. Raises `redis.exceptions.RedisError`.
    """

    def __init__(
        self, redis: "Redis", *, policy: Policy, work_ms: int = 150_000, keep_ms: int = 4_200_000, prefix: str = "idem"
    ) -> None:
        self._redis = redis
        self._policy = policy
        self._work_ms = work_ms
        self._keep_ms = keep_ms
        self._tag = f"{{{prefix}}}"
        self._begun: dict[str, bytes] = {}

    async def begin(self, conversation: str, key: str, fence: int | None) -> Admission:
        """Begin, if the fence is not old and the key is free (or in doubt, and the policy says: again)."""
        return await self._run(conversation, key, fence, "", "")

    async def complete(self, key: str) -> None:
        """Keep the key as done."""
        self._begun.pop(key, None)
        await self._redis.set(self._key(key), "done", px=self._keep_ms)

    async def abandon(self, key: str) -> None:
        """Free the key, if nobody has begun it anew or completed it since."""
        mine = self._begun.pop(key, None)
        if mine is not None:
            release = Script.load("engine.buffer.lease", "delete_if_same.lua")
            await release.run(self._redis, keys=[self._key(key)], args=[mine])

    async def commit(self, conversation: str, key: str, fence: int | None, effects_key: str, effect: str) -> Admission:
        """Append `effect` to the list `effects_key` and mark the key as done, in one script."""
        return await self._run(conversation, key, fence, f"{self._tag}:{effects_key}", effect)

    async def _run(self, conversation: str, key: str, fence: int | None, effects_key: str, effect: str) -> Admission:
        answer, mine = await Script.load("engine.buffer", "idempotency.lua").run(
            self._redis,
            keys=[self._key(key), f"{self._tag}:fence:{conversation}", effects_key or f"{self._tag}:none"],
            args=[
                "" if fence is None else fence,
                self._policy,
                self._work_ms,
                self._keep_ms,
                int(bool(effects_key)),
                effect,
            ],
        )
        if mine:
            self._begun[key] = mine
        return Admission(answer.decode())

    def _key(self, key: str) -> str:
        return f"{self._tag}:key:{key}"


async def process_once(
    store: IdempotencyStore, conversation: str, key: str, fence: int | None, effect: Callable[[], Awaitable[None]]
) -> Admission:
    """Have an effect outside the store under its key.

    An `effect` that raises is taken as not had, and the key is free again. One that stops in the middle (a crash) leaves the key
    in doubt. Raises what `effect` raises.
    """
    admission = await store.begin(conversation, key, fence)
    if admission is Admission.WORK:
        try:
            await effect()
        except Exception:
            await store.abandon(key)
            raise
        await store.complete(key)
    return admission
