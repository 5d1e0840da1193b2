"""Mutants of `lease`: most change one place of one script, the others one method."""

from collections.abc import Sequence
from typing import Any

from engine.buffer.errors import HandOverError
from engine.buffer.lease.names import Keys, Keyspace, conversation_of
from engine.buffer.lease.store import Claim
from engine.buffer.model import Conversation, Delivery, Message, Receipt
from engine.buffer.runtime import Runtime
from engine.buffer.scripts import Argument
from scenarios.planted.mutant import Mutant, MutantStore, named


class FinishWithoutToken(Mutant):
    """The acknowledgement does not compare the token."""

    edits = {"finish.lua": [("if state[1] ~= ARGV[2] then", "if false then")]}


class GiveBackWithoutToken(Mutant):
    """Giving back does not compare the token."""

    edits = {"give_back.lua": [("if redis.call('HGET', KEYS[2], 'token') ~= ARGV[2] then", "if false then")]}


class FinishDropsPending(Mutant):
    """The acknowledgement drops what came meanwhile along with the batch."""

    edits = {"finish.lua": [("redis.call('DEL', KEYS[4])", "redis.call('DEL', KEYS[4], KEYS[3])")]}


class FinishDoesNotArm(Mutant):
    """The acknowledgement takes the conversation off the index although something is pending."""

    edits = {
        "finish.lua": [
            (
                "redis.call('ZADD', KEYS[1], string.format('%.0f', due), ARGV[1])\n  return {'finished', math.max(0, due - now)}",
                "redis.call('ZREM', KEYS[1], ARGV[1])\n  return {'finished', -1}",
            )
        ]
    }


class RepeatNotArmed(Mutant):
    """A repeat is recognised and nothing is armed; and a new message is armed by a second round trip only."""

    edits = {
        "add.lua": [
            (
                "redis.call('ZADD', KEYS[1], whole(at), ARGV[1])",
                "if ARGV[5] == 'arm' and repeated == 0 then redis.call('ZADD', KEYS[1], whole(at), ARGV[1]) end",
            ),
        ]
    }

    async def receive(self, message: Message) -> Receipt:
        """Add, then arm in a second call, which a repeat leaves out."""
        receipt = await super().receive(message)
        if receipt.buffer_created:
            keys = self._store.keyspace.of(message.conversation)
            due = await self.runtime.redis.hget(keys.part("state"), "due")
            if due is not None:
                await self.runtime.redis.zadd(keys.due, {keys.member: float(due)})
        return receipt


class TtlOnPending(Mutant):
    """Pending messages expire after a minute, as the plan's buffers do."""

    edits = {"add.lua": [("  created, now = 1", "  redis.call('PEXPIRE', KEYS[3], 60000)\n  created, now = 1")]}


class TtlOnFlight(Mutant):
    """A claimed batch expires after a minute."""

    edits = {
        "claim.lua": [
            (
                "redis.call('RENAME', KEYS[3], KEYS[4])",
                "redis.call('RENAME', KEYS[3], KEYS[4])\n  redis.call('PEXPIRE', KEYS[4], 60000)",
            )
        ]
    }


class MarkerExpires(Mutant):
    """Repeat markers have a TTL of ten seconds from the start."""

    edits = {
        "add.lua": [("redis.call('SET', KEYS[5], '1', 'NX')", "redis.call('SET', KEYS[5], '1', 'NX', 'PX', 10000)")]
    }


class NoMarker(Mutant):
    """Repeats are not recognised."""

    edits = {"add.lua": [("if redis.call('SET', KEYS[5], '1', 'NX') then", "if true then")]}


class EarlyByOneMs(Mutant):
    """A claim a millisecond before the due time."""

    edits = {"claim.lua": [("elseif due > now and", "elseif due - 1000 > now and")]}

    async def receive(self, message: Message) -> Receipt:
        """Look a millisecond early, too."""
        receipt = await super().receive(message)
        if receipt.buffer_created:
            delay_s = (self.runtime.settings.buffer_delay_ms - 1) / 1000
            self.runtime.start(self._deliver_later(message.conversation, delay_s))
        return receipt


class NewKeyOnRetry(Mutant):
    """The batch's key is made anew at each claim."""

    edits = {"claim.lua": [("key = key or (ARGV[3] .. ':' .. fence)", "key = ARGV[3] .. ':' .. fence")]}


class KeyWithoutFence(Mutant):
    """One key for all batches of a conversation."""

    edits = {"claim.lua": [("key = key or (ARGV[3] .. ':' .. fence)", "key = key or ARGV[3]")]}


class BatchGrows(Mutant):
    """Late messages join a batch that is in flight, under its key."""

    edits = {
        "claim.lua": [
            (
                "if not in_flight then\n  redis.call('RENAME'",
                "if in_flight then\n  while redis.call('LLEN', KEYS[3]) > 0 do redis.call('RPUSH', KEYS[4], redis.call('LPOP', KEYS[3])) end\n  redis.call('HDEL', KEYS[2], 'due')\nelse\n  redis.call('RENAME'",
            )
        ]
    }


class TwoInFlight(Mutant):
    """A due buffer is claimed although a batch is in flight: the two become one flight, under the new key."""

    edits = {
        "claim.lua": [
            (
                "if in_flight then\n  if not_before > now and",
                "if in_flight and redis.call('EXISTS', KEYS[3]) == 1 and due <= now then\n  redis.call('DEL', KEYS[4])\n  in_flight = false\nend\nif in_flight then\n  if not_before > now and",
            )
        ]
    }


class LeaseTooShort(Mutant):
    """The lease ends after ten seconds, while the processor may work for ninety, and each claim has its own key."""

    edits = NewKeyOnRetry.edits

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._store._lease_us = 10_000_000


class LeaseForever(Mutant):
    """The lease of a crashed holder never ends."""

    edits = {
        "claim.lua": [("local lease_ends = whole(now + ARGV[2])", "local lease_ends = whole(now + ARGV[2] * 1000)")]
    }


class FenceStandsStill(Mutant):
    """Every claim of a batch has the fence of the first, so a stale holder's token still fits."""

    edits = {
        "claim.lua": [
            (
                "fence = whole(math.max(fence + 1, now))",
                "fence = in_flight and whole(fence) or whole(math.max(fence + 1, now))",
            ),
            ("key = key or (ARGV[3] .. ':' .. fence)", "key = ARGV[3] .. ':' .. now"),
        ]
    }


class FenceGoesBack(Mutant):
    """A later claim has a lower fence."""

    edits = {"claim.lua": [("fence = whole(math.max(fence + 1, now))", "fence = whole(9007199254740992 - now)")]}


class _LocalClockStore(MutantStore):
    async def _run(self, filename: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        if filename == "claim.lua":
            arguments = [*arguments, self._now_us()]
        return await super()._run(filename, keys, arguments)

    async def due(self, shard: int, limit: int) -> list[Conversation]:
        """What is due by this function's clock."""
        arguments: list[Argument] = [limit, self._now_us()]
        keys = [self.keyspace.due(shard)]
        members = await self._script("due.lua").run(self._runtime.redis, keys=keys, args=arguments)
        return [conversation_of(member) for member in members]

    def _now_us(self) -> int:
        return round(self._runtime.now().timestamp() * 1_000_000)


class SweepBySkewedClock(Mutant):
    """The sweep and the claim trust the function's own clock."""

    edits = {
        "claim.lua": [("local now = time[1] * 1000000 + time[2]", "local now = tonumber(ARGV[6])")],
        "due.lua": [("time[1] * 1000000 + time[2]", "ARGV[2]")],
    }
    store = _LocalClockStore


class SweepBoundDiffers(Mutant):
    """The claim wants the due time to be past by five minutes, the sweep and the timer do not."""

    edits = {
        "claim.lua": [
            ("elseif due > now and", "elseif due + 300000000 > now and"),
            ("redis.call('ZADD', KEYS[1], whole(due), ARGV[1])\n", ""),
        ]
    }


class NoSweep(Mutant):
    """Nobody sweeps: what the arming function forgets is forgotten."""

    tick_ms = None


class MissingHashTag(Mutant):
    """The keys of one script lie in different slots of a cluster."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._store.keyspace = _Untagged(self._store.keyspace.prefix, self._store.keyspace.shards)


class _Untagged(Keyspace):
    def tag(self, shard: int) -> str:
        """The shard without its braces."""
        return f"{self.prefix}:{shard}"


class AmbiguousMember(Mutant):
    """Names are joined with a colon as they are."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._store.keyspace = _Ambiguous(self._store.keyspace.prefix, self._store.keyspace.shards)


class _Ambiguous(Keyspace):
    def of(self, conversation: Conversation) -> Keys:
        """The keys, with one member for all names that read the same when joined."""
        joined = f"{conversation.instance_name}:{conversation.user_phone}"
        instance, _, phone = joined.partition(":")
        return super().of(Conversation(instance_name=instance, user_phone=phone))


class DeadLetterTooEarly(Mutant):
    """A batch is given up after its second failure."""

    async def _not_confirmed(self, claim: Claim, error: Any) -> Delivery:
        settings = self.runtime.settings
        if claim.failures >= 1 and settings.max_retry_attempts > 1:
            await self.runtime.dead_letter(claim.messages, "too early")
            await self._store.finish(claim, dead_letter="{}")
            return Delivery(success=False)
        return await super()._not_confirmed(claim, error)


class ClaimsCount(Mutant):
    """Claims count as failed hand-overs, so crashes alone use the attempts up."""

    edits = {
        "claim.lua": [("claims = claims + 1\n", "if in_flight then failures = failures + 1 end\nclaims = claims + 1\n")]
    }


class DeadLetterNotSaid(Mutant):
    """The dead letter is moved first and never said."""

    async def _not_confirmed(self, claim: Claim, error: Any) -> Delivery:
        if claim.failures >= self.runtime.settings.max_retry_attempts:
            await self._store.finish(claim, dead_letter="{}")
            return Delivery(success=False)
        return await super()._not_confirmed(claim, error)


class FinishBeforeEffect(Mutant):
    """The acknowledgement comes before the hand-over."""

    async def _hand_over(self, claim: Claim) -> Delivery:
        await self._store.finish(claim)
        await self.runtime.hand_over(claim.messages, key=claim.key, fence=claim.fence)
        return Delivery(processed=len(claim.messages))


class NoKey(Mutant):
    """The batch is handed over without its key."""

    async def _hand_over(self, claim: Claim) -> Delivery:
        try:
            await self.runtime.hand_over(claim.messages, fence=claim.fence)
        except Exception as error:
            return await self._not_confirmed(claim, error)  # type: ignore[arg-type]
        await self._store.finish(claim)
        return Delivery(processed=len(claim.messages))


class SuccessAlways(Mutant):
    """Success is reported before the processor has answered."""

    async def _hand_over(self, claim: Claim) -> Delivery:
        await self.runtime.report_status(claim.keys.conversation, "success")
        return await super()._hand_over(claim)


class NewestFirst(Mutant):
    """A buffer is filled from the wrong end."""

    edits = {"add.lua": [("redis.call('RPUSH', KEYS[3], ARGV[2])", "redis.call('LPUSH', KEYS[3], ARGV[2])")]}


class MarkersStay(Mutant):
    """Repeat markers never end."""

    edits = {"finish.lua": [("redis.call('PEXPIRE', KEYS[i], ARGV[3])", "redis.call('PERSIST', KEYS[i])")]}


class ThroughCjson(Mutant):
    """The payload is decoded and encoded in the script, which rounds big integers."""

    edits = {
        "add.lua": [
            (
                "redis.call('RPUSH', KEYS[3], ARGV[2])",
                "redis.call('RPUSH', KEYS[3], cjson.encode(cjson.decode(ARGV[2])))",
            )
        ]
    }


class BusyClaimDisarms(Mutant):
    """A claim that finds the batch held takes the conversation off the index, and trusts the holder."""

    edits = {
        "claim.lua": [
            ("redis.call('ZADD', KEYS[1], whole(not_before), ARGV[1])", "redis.call('ZREM', KEYS[1], ARGV[1])")
        ]
    }


class FailureForgetsMarkers(Mutant):
    """A batch that is given back takes its repeat markers with it."""

    async def _not_confirmed(self, claim: Claim, error: HandOverError) -> Delivery:
        delivery = await super()._not_confirmed(claim, error)
        await self.runtime.redis.delete(*(claim.keys.seen(message.message_id) for message in claim.messages))
        return delivery


class DeadLetterTakesPending(Mutant):
    """A batch that is given up takes along what came meanwhile."""

    edits = {"finish.lua": [("if ARGV[5] ~= '' then", "if ARGV[5] ~= '' then\n  redis.call('DEL', KEYS[3])")]}


class TheftTakesPending(Mutant):
    """Whoever claims a batch whose lease ended takes what is pending along, under the batch's key."""

    edits = {
        "claim.lua": [
            (
                "key = key or (ARGV[3] .. ':' .. fence)",
                "if in_flight and token then\n"
                "  while redis.call('LLEN', KEYS[3]) > 0 do redis.call('RPUSH', KEYS[4], redis.call('LPOP', KEYS[3])) end\n"
                "end\n"
                "key = key or (ARGV[3] .. ':' .. fence)",
            )
        ]
    }


LEASE_MUTANTS: dict[str, str] = named(__name__, globals())
