"""Defects of claims, keys, fences, retries and what is given up."""

import hashlib
from typing import Any, ClassVar

from core import Core, changed

from engine.buffer import HandOverError, Message


class RandomKey(Core):
    """A new key at each hand-over."""

    async def hand_over(self, messages: list[Message], key: str, fence: int) -> None:
        """With a random key."""
        await self.runtime.hand_over(messages, key=f"{self.runtime.random.getrandbits(64):x}", fence=fence)


class NoKey(Core):
    """No key."""

    async def hand_over(self, messages: list[Message], key: str, fence: int) -> None:
        """Without a key."""
        await self.runtime.hand_over(messages, fence=fence)


class KeyWithTheAttempt(Core):
    """The attempt is part of the key."""

    async def process(self, name: bytes, key: str, fence: int, tries: int, messages: list[Message]) -> None:
        """Another key at each attempt."""
        await super().process(name, f"{key}/{tries}", fence, tries, messages)


class KeyWithTheFence(Core):
    """The fence is the key."""

    async def hand_over(self, messages: list[Message], key: str, fence: int) -> None:
        """Another key at each claim."""
        await self.runtime.hand_over(messages, key=str(fence), fence=fence)


class OneKeyForAConversation(Core):
    """All batches of a conversation have one key: the second has no effect."""

    async def process(self, name: bytes, key: str, fence: int, tries: int, messages: list[Message]) -> None:
        """The conversation as the key."""
        await super().process(name, name.decode(), fence, tries, messages)


class KeyOfTheTexts(Core):
    """The key is a digest of the texts: the same words later are taken for the same batch."""

    async def hand_over(self, messages: list[Message], key: str, fence: int) -> None:
        """A digest, whoever wrote it."""
        texts = "\n".join(message.text for message in messages).encode("utf-8", "surrogatepass")
        await self.runtime.hand_over(messages, key=hashlib.sha1(texts).hexdigest(), fence=fence)


class KeyOfTheMinute(Core):
    """The key is the conversation and the minute."""

    async def process(self, name: bytes, key: str, fence: int, tries: int, messages: list[Message]) -> None:
        """One key a minute."""
        minute = int(self.runtime.now().timestamp() // 60)
        await super().process(name, f"{name!r}/{minute}", fence, tries, messages)


class KeyOfALengthAlone(Core):
    """The key is the conversation and how many messages there are."""

    async def process(self, name: bytes, key: str, fence: int, tries: int, messages: list[Message]) -> None:
        """One key for all batches of a size."""
        await super().process(name, f"{name!r}/{len(messages)}", fence, tries, messages)


class FenceIsTheAttempt(Core):
    """The fence counts a batch's attempts: the next batch's is lower."""

    async def process(self, name: bytes, key: str, fence: int, tries: int, messages: list[Message]) -> None:
        """Refused for ever, after a retry."""
        conversation = self.conversation_of(name)
        try:
            await self.runtime.hand_over(messages, key=key, fence=tries + 1)
        except HandOverError as error:
            await self.failed(name, fence, tries, messages, error)
            return
        await self.settle(name, fence, messages)
        await self.runtime.report_status(conversation, "success")


class FenceIsRandom(Core):
    """The fence is a random number."""

    async def hand_over(self, messages: list[Message], key: str, fence: int) -> None:
        """Refused as often as not."""
        await self.runtime.hand_over(messages, key=key, fence=self.runtime.random.randrange(1_000_000))


class FenceByOwnClock(Core):
    """The fence is the function's own clock, and one that is behind never gets through."""

    async def hand_over(self, messages: list[Message], key: str, fence: int) -> None:
        """What was refused is taken for done."""
        own = round(self.runtime.now().timestamp() * 1_000)
        try:
            await self.runtime.hand_over(messages, key=key, fence=own)
        except HandOverError as error:
            if type(error).__name__ != "HandOverRefused":
                raise


class RefusalsCount(Core):
    """What was refused for its fence counts as an attempt, and fences come from a clock of its own."""

    async def process(self, name: bytes, key: str, fence: int, tries: int, messages: list[Message]) -> None:
        """Given up after refusals."""
        own = round(self.runtime.now().timestamp() * 1_000)
        try:
            await self.runtime.hand_over(messages, key=key, fence=own)
        except HandOverError as error:
            await self.failed(name, fence, tries, messages, error)
            return
        await self.settle(name, fence, messages)


class ClaimsForEver(Core):
    """What a function that crashed had claimed is never claimed again."""

    lease_ms = 10**12


class ShortLease(RandomKey):
    """A claim ends after three seconds, and each has its own key."""

    lease_ms = 3_000


class LeaseShorterThanTheWork(Core):
    """A claim ends after four seconds; whoever claims again makes a batch of its own of it, with what came meanwhile."""

    lease_ms = 4_000
    CLAIM: ClassVar[str] = changed(
        Core.CLAIM,
        "ARGV[1])) > now then return {} end\n",
        "ARGV[1])) > now then return {} end\n"
        "  redis.call('HSET', KEYS[5], 'key', ARGV[3])\n"
        "  while redis.call('LMOVE', KEYS[3], KEYS[4], 'LEFT', 'RIGHT') do end\n"
        "  redis.call('ZREM', KEYS[1], ARGV[1])\n",
    )


class TwoInFlight(Core):
    """Each claim has a batch of its own: a second buffer does not wait for the first."""

    CLAIM: ClassVar[str] = changed(
        Core.CLAIM,
        "redis.call('RENAME', KEYS[3], KEYS[4])",
        "redis.call('RENAME', KEYS[3], KEYS[4] .. ARGV[3])\n  KEYS[4] = KEYS[4] .. ARGV[3]",
    )

    async def process(self, name: bytes, key: str, fence: int, tries: int, messages: list[Message]) -> None:
        """Tried until it is done, in this function."""
        while True:
            try:
                await self.runtime.hand_over(messages, key=key)
                break
            except HandOverError:
                await self.runtime.sleep(1)
        text = name.decode()
        await self.runtime.redis.delete(f"flight:{text}{key}")
        await self.runtime.redis.zrem("leases", text)
        await self.runtime.redis.expire(f"state:{text}", self.marker_s)
        for message in messages:
            await self.runtime.redis.expire(self.seen(text, message), self.marker_s)


class SettlesWithoutAToken(Core):
    """Whoever is done removes the batch that is there, and short claims make that another one."""

    lease_ms = 20_000
    SETTLE: ClassVar[str] = changed(
        Core.SETTLE, "redis.call('HGET', KEYS[3], 'fence') ~= ARGV[2] or ", "ARGV[2] == '' or "
    )


class SettlesFirst(Core):
    """Removes the batch, then hands it over."""

    async def hand_over(self, messages: list[Message], key: str, fence: int) -> None:
        """At most once."""
        name = self.name_of(messages[0].conversation).encode()
        await self.settle(name, fence, messages)
        await super().hand_over(messages, key, fence)


class DoesNotWait(Core):
    """Starts the hand-over and removes the batch at once."""

    async def hand_over(self, messages: list[Message], key: str, fence: int) -> None:
        """In the background."""
        self.runtime.start(super().hand_over(messages, key, fence))


class SwallowsFailures(Core):
    """A hand-over that failed is taken for done."""

    async def failed(self, name: bytes, fence: int, tries: int, messages: list[Message], error: HandOverError) -> None:
        """Settled, and forgotten."""
        await self.settle(name, fence, messages)


class GivesUpSilently(Core):
    """What has used its attempts up is dropped without a word."""

    async def failed(self, name: bytes, fence: int, tries: int, messages: list[Message], error: HandOverError) -> None:
        """Dropped after the last attempt."""
        back_off_ms = str(1_000 << tries) if tries < self.runtime.settings.max_retry_attempts else ""
        await self.settle(name, fence, messages, back_off_ms)


class GivesUpAtOnce(Core):
    """The first failure is the last."""

    async def failed(self, name: bytes, fence: int, tries: int, messages: list[Message], error: HandOverError) -> None:
        """Dead after one."""
        await super().failed(name, fence, 99, messages, error)


class ClaimsCountAsAttempts(Core):
    """Each claim counts, so that crashes use the attempts up."""

    CLAIM: ClassVar[str] = changed(
        Core.CLAIM, "ARGV[1])) > now then return {} end\n", "ARGV[1])) > now then return {} end\n"
        "  redis.call('HINCRBY', KEYS[5], 'tries', 2)\n",
    )  # fmt: skip


class RequeuesAsNew(Core):
    """A batch that failed goes back to the front of the buffer, and is another batch with another key then."""

    SETTLE: ClassVar[str] = changed(
        Core.SETTLE,
        "  redis.call('HINCRBY', KEYS[3], 'tries', 1)\n  redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])\n",
        "  while redis.call('LMOVE', KEYS[2], ARGV[5], 'RIGHT', 'LEFT') do end\n"
        "  redis.call('ZREM', KEYS[1], ARGV[1])\n"
        "  redis.call('ZADD', 'due', 'NX', now, ARGV[1])\n",
    )

    async def settle(self, name: bytes, fence: int, messages: list[Message], back_off_ms: str = "") -> None:
        """With the buffer it goes back to."""
        text = name.decode()
        keys = ["leases", f"flight:{text}", f"state:{text}", *(self.seen(text, message) for message in messages)]
        args = [name, fence, back_off_ms, self.marker_s, f"pending:{text}"]
        await self.runtime.redis.eval(self.SETTLE, len(keys), *keys, *args)


class RetryTakesMoreAlong(Core):
    """A batch that is tried again takes along what came meanwhile, under its key."""

    CLAIM: ClassVar[str] = changed(
        Core.CLAIM,
        "ARGV[1])) > now then return {} end\n",
        "ARGV[1])) > now then return {} end\n"
        "  while redis.call('LMOVE', KEYS[3], KEYS[4], 'LEFT', 'RIGHT') do end\n"
        "  redis.call('ZREM', KEYS[1], ARGV[1])\n",
    )


class RetryReversed(Core):
    """A batch that is tried again stands the other way round."""

    async def process(self, name: bytes, key: str, fence: int, tries: int, messages: list[Message]) -> None:
        """Backwards at each second attempt."""
        await super().process(name, key, fence, tries, messages[::-1] if tries % 2 else messages)


class RetryMarksTheText(Core):
    """A batch that is tried again says so in its texts."""

    async def process(self, name: bytes, key: str, fence: int, tries: int, messages: list[Message]) -> None:
        """`(retry)` in front."""
        marked = [
            Message(
                conversation=m.conversation,
                message_id=m.message_id,
                text=f"(retry) {m.text}" if tries else m.text,
                data=m.data,
            )
            for m in messages
        ]
        await super().process(name, key, fence, tries, marked)


class RetryOneByOne(Core):
    """A batch that failed is tried again message by message."""

    async def process(self, name: bytes, key: str, fence: int, tries: int, messages: list[Message]) -> None:
        """Each under a key of its own."""
        if not tries:
            await super().process(name, key, fence, tries, messages)
            return
        for message in messages:
            await self.runtime.hand_over([message], key=f"{key}/{message.message_id}", fence=fence)
        await self.settle(name, fence, messages)


class FailedOnesStepAside(Core):
    """What is pending goes ahead of a batch that failed."""

    CLAIM: ClassVar[str] = changed(
        Core.CLAIM,
        "if redis.call('EXISTS', KEYS[4]) == 1 then",
        "if redis.call('EXISTS', KEYS[4]) == 1 and redis.call('EXISTS', KEYS[3]) == 1\n"
        "  and redis.call('HGET', KEYS[5], 'tries') ~= '0' then\n"
        "  local later = redis.call('LRANGE', KEYS[4], 0, -1)\n"
        "  redis.call('RENAME', KEYS[3], KEYS[4])\n"
        "  redis.call('RPUSH', KEYS[3], unpack(later))\n"
        "  redis.call('ZADD', KEYS[1], now, ARGV[1])\n"
        "  redis.call('HSET', KEYS[5], 'key', ARGV[3], 'tries', 0)\n"
        "elseif redis.call('EXISTS', KEYS[4]) == 1 then",
    )


class PendingEnds(Core):
    """What waits has an end of thirty seconds."""

    ADD = changed(Core.ADD, "redis.call('ZADD'", "redis.call('EXPIRE', KEYS[2], 30)\n  redis.call('ZADD'")


class FlightEnds(Core):
    """What is in flight has an end of a minute."""

    CLAIM: ClassVar[str] = changed(
        Core.CLAIM,
        "redis.call('RENAME', KEYS[3], KEYS[4])",
        "redis.call('RENAME', KEYS[3], KEYS[4])\n  redis.call('EXPIRE', KEYS[4], 60)",
    )


class ClaimOverwrites(Core):
    """A claim renames over the batch that is in flight."""

    CLAIM: ClassVar[str] = changed(
        Core.CLAIM,
        "if redis.call('EXISTS', KEYS[4]) == 1 then",
        "if redis.call('EXISTS', KEYS[4]) == 1 and redis.call('EXISTS', KEYS[3]) == 0 then",
    )


class PopsTheDue(Core):
    """ZPOPMIN takes a conversation off the index before anything is done with it."""

    async def tick(self) -> None:
        """Take off, then work."""
        redis: Any = self.runtime.redis
        for name in await redis.eval(self.FIND, 2, "due", "leases"):
            score = await redis.zscore("due", name)
            if score is not None and await redis.zrem("due", name):
                self.runtime.start(self._late(name, score))
            elif score is None:
                self.runtime.start(self.work(name))

    async def _late(self, name: bytes, score: float) -> None:
        await self.runtime.redis.zadd("due", {name: score}, nx=True)
        await self.work(name)


class CountsFromOneAgain(Core):
    """The fence is a counter, and ends some minutes after the last batch: then it begins again, below what was seen."""

    CLAIM = changed(
        Core.CLAIM,
        "math.max(now, (tonumber(redis.call('HGET', KEYS[5], 'fence')) or 0) + 1)",
        "(tonumber(redis.call('HGET', KEYS[5], 'fence')) or 0) + 1",
    )
    SETTLE = changed(Core.SETTLE, "redis.call('EXPIRE', KEYS[3], ARGV[4])", "redis.call('EXPIRE', KEYS[3], 300)")
