"""Mutants that show only if several things happen in one order: what a search is measured by."""

from collections.abc import Sequence
from typing import Any

from engine.buffer.errors import HandOverError
from engine.buffer.lease.dead_letters import DeadLetter
from engine.buffer.lease.names import Keys
from engine.buffer.lease.store import Claim
from engine.buffer.model import Delivery, Message
from engine.buffer.runtime import Runtime
from engine.buffer.scripts import Argument
from scenarios.planted.mutant import FencedMutant, Mutant, MutantStore, named


class _LooksFirstStore(MutantStore):
    async def _run(self, filename: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        if filename == "finish.lua":
            arguments = [*arguments, int(await self._runtime.redis.exists(keys[2]))]
        return await super()._run(filename, keys, arguments)


class FinishLooksFirst(Mutant):
    """The acknowledgement goes by what was pending a round trip before."""

    edits = {"finish.lua": [("if redis.call('EXISTS', KEYS[3]) == 1 then", "if ARGV[6] == '1' then")]}
    store = _LooksFirstStore


class _ArmsAfterwardsStore(MutantStore):
    async def _run(self, filename: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        result = await super()._run(filename, keys, arguments)
        if filename == "finish.lua" and result[1] >= 0:
            due: Any = await self._runtime.redis.hget(keys[1], "due")
            await self._runtime.redis.zadd(keys[0], {str(arguments[0]): float(due or 0)})
        return result


class FinishArmsAfterwards(Mutant):
    """The acknowledgement arms the next buffer by a second command."""

    edits = {
        "finish.lua": [
            ("redis.call('ZADD', KEYS[1], string.format('%.0f', due), ARGV[1])", "redis.call('ZREM', KEYS[1], ARGV[1])")
        ]
    }
    store = _ArmsAfterwardsStore


class FailedBatchDropsMarkers(Mutant):
    """A batch that failed before it went well leaves no repeat markers."""

    edits = {
        "finish.lua": [
            ("'token', 'finished', 'due')", "'token', 'finished', 'due', 'failures')"),
            (
                "redis.call('PEXPIRE', KEYS[i], ARGV[3])",
                "redis.call('PEXPIRE', KEYS[i], (state[4] or '0') ~= '0' and 1 or ARGV[3])",
            ),
        ]
    }


class EarlyClaimDisarms(Mutant):
    """A claim that comes too early takes the conversation off the index, and trusts its function's timer."""

    edits = {
        "claim.lua": [
            (
                "  redis.call('ZADD', KEYS[1], whole(due), ARGV[1])\n  return {'early'",
                "  redis.call('ZREM', KEYS[1], ARGV[1])\n  return {'early'",
            )
        ]
    }


class _ReadsLaterStore(MutantStore):
    async def _run(self, filename: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        result = await super()._run(filename, keys, arguments)
        if filename == "claim.lua" and result[0] == b"claimed":
            result[-1] = await self._runtime.redis.lrange(keys[3], 0, -1)
        return result


class ClaimReadsLater(Mutant):
    """The claim is made by one command, and the batch read by the next; leases are short."""

    store = _ReadsLaterStore

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._store._lease_us = 10_000_000


class SightingEndsMarker(Mutant):
    """A repeat of an unfinished message gives its marker an end: twenty seconds."""

    edits = {
        "add.lua": [
            (
                "    redis.call('PEXPIRE', KEYS[5], ARGV[4])\n  end",
                "    redis.call('PEXPIRE', KEYS[5], ARGV[4])\n  else\n    redis.call('PEXPIRE', KEYS[5], 20000)\n  end",
            )
        ]
    }


class FinishComparesLength(Mutant):
    """The acknowledgement takes a batch for its own if it is as long."""

    edits = {"finish.lua": [("if state[1] ~= ARGV[2] then", "if redis.call('LLEN', KEYS[4]) ~= #KEYS - 5 then")]}


class NewKeyOnSecondTheft(Mutant):
    """A batch whose lease ended twice gets another key."""

    edits = {
        "claim.lua": [
            (
                "key = key or (ARGV[3] .. ':' .. fence)",
                "if in_flight and token and claims >= 2 then key = nil end\nkey = key or (ARGV[3] .. ':' .. fence)",
            )
        ]
    }


class DeadLetterMovedFirst(Mutant):
    """The dead letter is moved first and said then."""

    async def _not_confirmed(self, claim: Claim, error: HandOverError) -> Delivery:
        if claim.failures < self.runtime.settings.max_retry_attempts:
            return await super()._not_confirmed(claim, error)
        letter = DeadLetter.of(claim, "attempts used up", self.runtime.now())
        await self._store.finish(claim, dead_letter=letter.to_json())
        await self.runtime.dead_letter(claim.messages, "attempts used up")
        return Delivery(success=False)


class FencedFinishForgetsPending(FencedMutant):
    """The acknowledgement takes the conversation off the index although something is pending."""

    edits = {
        "finish.lua": [
            (
                "redis.call('ZADD', KEYS[1], redis.call('HGET', KEYS[2], 'due') or now, ARGV[1])\nelse",
                "redis.call('ZREM', KEYS[1], ARGV[1])\nelse",
            )
        ]
    }


class FinishDisarmsFirst(Mutant):
    """The acknowledgement takes the conversation off the index before it compares the token."""

    edits = {
        "finish.lua": [
            ("if state[1] ~= ARGV[2] then", "redis.call('ZREM', KEYS[1], ARGV[1])\nif state[1] ~= ARGV[2] then")
        ]
    }


class FencedFinishComparesLength(FencedMutant):
    """The acknowledgement, and giving back with it, takes a batch for its own if it is as long."""

    edits = {
        "finish.lua": [
            (
                "redis.call('HGET', KEYS[2], 'fence') ~= ARGV[2] or redis.call('EXISTS', KEYS[4]) == 0",
                "redis.call('LLEN', KEYS[4]) ~= #KEYS - 5",
            )
        ]
    }


class FencedDeadLetterMovedFirst(FencedMutant):
    """The dead letter is moved first, and said only then."""

    async def _not_confirmed(
        self, keys: Keys, messages: list[Message], fence: bytes, failures: int, error: HandOverError
    ) -> Delivery:
        if failures < self.runtime.settings.max_retry_attempts:
            return await super()._not_confirmed(keys, messages, fence, failures, error)
        if await self._finish(keys, messages, fence, dead_letter="{}"):
            await self.runtime.report_status(keys.conversation, "failed")
        await self.runtime.dead_letter(messages, "attempts used up")
        return Delivery(success=False)


RARE_MUTANTS: dict[str, str] = named(__name__, globals())
