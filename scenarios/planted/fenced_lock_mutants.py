"""Mutants of `fenced_lock`: what is left of it when one of the things around the lock is not done well."""

from collections.abc import Sequence

from engine.buffer.errors import HandOverError
from engine.buffer.lease.names import Keys
from engine.buffer.model import Delivery, Message, Receipt
from engine.buffer.runtime import Runtime
from scenarios.planted.mutant import FencedMutant, named


class FencedFinishWithoutFence(FencedMutant):
    """The acknowledgement takes whatever batch there is by then."""

    edits = {
        "finish.lua": [
            ("if redis.call('HGET', KEYS[2], 'fence') ~= ARGV[2] or redis.call", "if redis.call"),
        ]
    }


class FencedNewKeyOnRetry(FencedMutant):
    """The batch's key is made anew whenever it is taken."""

    edits = {"take.lua": [("if not again then", "key = ARGV[3] .. ':' .. fence\nif not again then")]}


class FencedNoKey(FencedMutant):
    """The fence is handed on, and no key."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        hand_over = runtime.hand_over

        async def without_key(messages: Sequence[Message], *, key: str | None = None, fence: int | None = None) -> None:
            await hand_over(messages, fence=fence)

        runtime.hand_over = without_key  # type: ignore[method-assign]


class FencedFailuresStay(FencedMutant):
    """A new batch begins with the failures of the one before."""

    edits = {
        "take.lua": [
            ("key, failures = ARGV[3] .. ':' .. fence, 0", "key = ARGV[3] .. ':' .. fence"),
            ("'key', key, 'failures', 0)", "'key', key)"),
        ],
        "finish.lua": [("'key', 'failures', 'not_before')", "'key', 'not_before')")],
    }


class FencedRepeatNotArmed(FencedMutant):
    """A repeat is recognised and nothing is armed; and a new buffer is armed by a second command only."""

    edits = {
        "add.lua": [("if redis.call('EXISTS', KEYS[3]) + redis.call('EXISTS', KEYS[4]) > 0 then", "if false then")]
    }

    async def receive(self, message: Message) -> Receipt:
        """Store, then arm in a second call, which a repeat leaves out."""
        receipt = await super().receive(message)
        if receipt.buffer_created:
            keys = self._keyspace.of(message.conversation)
            due = await self.runtime.redis.hget(keys.part("state"), "due")
            if due is not None:
                await self.runtime.redis.zadd(keys.due, {keys.member: float(due)}, nx=True)
        return receipt


class FencedLockForever(FencedMutant):
    """The adds' lock has no end of its own once it is used."""

    edits = {"add.lua": [("local created = 0", "redis.call('PERSIST', KEYS[6])\nlocal created = 0")]}


class FencedMarkersEndSoon(FencedMutant):
    """Repeat markers live for a minute after the message is finished."""

    edits = {"finish.lua": [("redis.call('PEXPIRE', KEYS[i], ARGV[3])", "redis.call('PEXPIRE', KEYS[i], 60000)")]}


class FencedTakeOverwrites(FencedMutant):
    """A due buffer is taken although a batch is unfinished."""

    edits = {
        "take.lua": [
            (
                "local again = redis.call('EXISTS', KEYS[4]) == 1",
                "local again = redis.call('EXISTS', KEYS[4]) == 1\n"
                "  and (redis.call('EXISTS', KEYS[3]) == 0 or tonumber(state[1] or 0) > now)",
            )
        ]
    }


class FencedTimeOutIsFinal(FencedMutant):
    """A hand-over that nobody answered counts as used up."""

    async def _not_confirmed(
        self, keys: Keys, messages: list[Message], fence: bytes, failures: int, error: HandOverError
    ) -> Delivery:
        if "Timeout" in str(error):
            failures = self.runtime.settings.max_retry_attempts
        return await super()._not_confirmed(keys, messages, fence, failures, error)


FENCED_LOCK_MUTANTS: dict[str, str] = named(__name__, globals())
