"""The scripts of `lease` as typed calls. Each is safe to run twice, so a lost reply is simply asked for again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from engine.buffer.lease.names import Keys, Keyspace, conversation_of
from engine.buffer.model import Backlog, Conversation, Message
from engine.buffer.runtime import Runtime, encode
from engine.buffer.scripts import Argument, Script
from engine.buffer.settings import Settings

#: Repeat markers outlive the provider's last repeat by this much.
MARKER_MARGIN_SECONDS = 600
#: How often a script is sent whose outcome is open: with the client's 5 s each, it stays below a webhook's 30 s.
TRIES = 3
TRY_AGAIN_MS = 100


def keyspace(settings: Settings) -> Keyspace:
    """Where `lease` keeps everything."""
    return Keyspace("bp", settings.shards)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a message: a new buffer, an append, or a repeat; `wait_seconds` until due (None: finished)."""

    created: bool
    repeated: bool
    wait_seconds: float | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch, held until the lease ends. `fence` is the fencing token, by which the holder is known."""

    keys: Keys
    key: str
    fence: int
    #: Hand-overs of this batch that failed before, as their holders said.
    failures: int
    #: How often it was claimed, this time included.
    claims: int
    payloads: tuple[str, ...]
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class NotClaimed:
    """Why there is nothing to hand over: `busy`, `early` or `empty`, and for how long (None: until a message comes)."""

    why: str
    wait_seconds: float | None


class LeaseStore:
    """What `lease` keeps in Redis. Every method may raise `redis.exceptions.RedisError`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        settings = runtime.settings
        self.keyspace = keyspace(settings)
        self._delay_us = round(settings.buffer_delay_ms * 1_000 * settings.time_scale)
        # A hand-over that is begun right after the claim ends, by its own time-out, before the lease does.
        self._lease_us = (settings.hand_over_timeout_seconds + settings.lease_margin_seconds) * 1_000_000
        self._marker_ms = marker_ms(settings)

    async def add(self, message: Message) -> Taken:
        """Take one message; one round trip."""
        keys = self.keyspace.of(message.conversation)
        created, repeated, wait_us = await self._run(
            "add.lua",
            [keys.due, keys.part("state"), keys.part("pending"), keys.part("flight"), keys.seen(message.message_id)],
            [keys.member, payload_of(message), self._delay_us, self._marker_ms],
        )
        return Taken(bool(created), bool(repeated), _seconds(wait_us))

    async def claim(self, conversation: Conversation, *, early: bool = False) -> Claim | NotClaimed:
        """Claim what is due (with `early`: also what is not yet, and what waits out a back-off)."""
        keys = self.keyspace.of(conversation)
        nonce = f"{self._runtime.random.getrandbits(64):016x}"
        status, *rest = await self._run(
            "claim.lua",
            [keys.due, keys.part("state"), keys.part("pending"), keys.part("flight")],
            [keys.member, self._lease_us, keys.digest, nonce, "1" if early else ""],
        )
        if status != b"claimed":
            return NotClaimed(status.decode(), _seconds(rest[0]) if rest else None)
        key, fence, failures, claims, raw = rest
        payloads = tuple(payload.decode("ascii") for payload in raw)
        messages = tuple(message_of(payload, conversation) for payload in payloads)
        return Claim(keys, key.decode(), int(fence), int(failures), int(claims), payloads, messages)

    async def finish(self, claim: Claim, *, dead_letter: str = "") -> tuple[bool, float | None]:
        """The batch is done with, confirmed or dead-lettered. Returns whether the claim still held.

        The second value is how long until the next buffer is due (None: there is none).
        """
        keys = claim.keys
        status, wait_us = await self._run(
            "finish.lua",
            [
                *(keys.due, keys.part("state"), keys.part("pending"), keys.part("flight"), keys.dead),
                *(keys.seen(message.message_id) for message in claim.messages),
            ],
            [keys.member, claim.fence, self._marker_ms, claim.key, dead_letter],
        )
        return status == b"finished", _seconds(wait_us)

    async def give_back(self, claim: Claim, *, backoff_seconds: float, failed: bool) -> bool:
        """Let others claim the batch after the back-off; returns whether the claim still held.

        `failed`: the hand-over was begun and not confirmed, so it counts.
        """
        keys = claim.keys
        arguments: list[Argument] = [keys.member, claim.fence, round(backoff_seconds * 1_000_000), int(failed)]
        return bool(await self._run("give_back.lua", [keys.due, keys.part("state")], arguments))

    async def adopt(self, conversation: Conversation, messages: Sequence[Message], *, delay_ms: int) -> int:
        """Put messages of another design in front of what is pending; returns how many were new."""
        keys = self.keyspace.of(conversation)
        return int(
            await self._run(
                "adopt.lua",
                [
                    *(keys.due, keys.part("state"), keys.part("pending"), keys.part("flight")),
                    *(keys.seen(message.message_id) for message in messages),
                ],
                [keys.member, delay_ms * 1_000, *(payload_of(message) for message in messages)],
            )
        )

    async def due(self, shard: int, limit: int) -> list[Conversation]:
        """Up to `limit` conversations of a shard that are due, the longest due first; one round trip."""
        members = await self._script("due.lua").run(self._runtime.redis, keys=[self.keyspace.due(shard)], args=[limit])
        return [conversation_of(member) for member in members]

    async def backlog(self) -> Backlog:
        """How many conversations are unfinished, and since when the longest due one is; one round trip."""
        pipeline = self._runtime.redis.pipeline(transaction=False)
        pipeline.time()
        for shard in range(self.keyspace.shards):
            pipeline.zcard(self.keyspace.due(shard))
            pipeline.zrange(self.keyspace.due(shard), 0, 0, withscores=True)
        (seconds, microseconds), *found = await pipeline.execute()
        instants = [score for first in found[1::2] for _, score in first]
        overdue = seconds + microseconds / 1e6 - min(instants) / 1e6 if instants else 0.0
        return Backlog(conversations=sum(found[::2]), oldest_overdue_seconds=max(0.0, overdue))

    async def unfinished(self, shard: int) -> list[Conversation]:
        """All conversations of a shard that hold anything, due or not."""
        members: list[Any] = list(await self._runtime.redis.zrange(self.keyspace.due(shard), 0, -1))
        return [conversation_of(member) for member in members]

    async def _run(self, filename: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Run a script, and again if its outcome is open: a second run of the same call changes nothing."""
        for attempt in range(TRIES):
            try:
                return await self._script(filename).run(self._runtime.redis, keys=keys, args=arguments)
            except (RedisConnectionError, RedisTimeoutError):
                if attempt == TRIES - 1:
                    raise
            await self._runtime.sleep(TRY_AGAIN_MS * 2**attempt * self._runtime.random.uniform(0.5, 1) / 1_000)
        raise AssertionError("the last try returns or raises")

    def _script(self, filename: str) -> Script:
        return Script.load("engine.buffer.lease", filename)


def marker_ms(settings: Settings) -> int:
    """How long a repeat marker lives after its message is finished, and after each later sighting."""
    return max(1, round((settings.repeat_horizon_seconds + MARKER_MARGIN_SECONDS) * 1_000 * settings.time_scale))


def payload_of(message: Message) -> str:
    """A message as Redis keeps it: JSON in pure ASCII, which no script ever decodes."""
    fields = {
        "id": message.message_id,
        "text": message.text,
        "data": message.data,
        "sent_at": message.sent_at and message.sent_at.isoformat(),
    }
    return encode(fields).decode("ascii")


def message_of(payload: str, conversation: Conversation) -> Message:
    """A message from what `payload_of` made of it."""
    fields: Mapping[str, Any] = json.loads(payload)
    return Message(
        conversation=conversation,
        message_id=fields["id"],
        text=fields["text"],
        data=fields["data"],
        sent_at=datetime.fromisoformat(fields["sent_at"]) if fields["sent_at"] else None,
    )


def _seconds(wait_us: int) -> float | None:
    return None if wait_us < 0 else wait_us / 1_000_000
