"""The dead letters of `lease`: batches whose attempts were used up, kept until somebody decides."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from redis.asyncio import Redis

from engine.buffer.lease.names import Keys
from engine.buffer.lease.store import Claim, keyspace
from engine.buffer.model import Conversation
from engine.buffer.runtime import encode
from engine.buffer.scripts import Script
from engine.buffer.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """One batch that was given up. `key` is its idempotency key, which a requeue keeps."""

    key: str
    instance_name: str
    user_phone: str
    reason: str
    #: ISO-8601, by the clock of the function that gave it up.
    at: str
    message_ids: tuple[str, ...]
    payloads: tuple[str, ...]

    @classmethod
    def of(cls, claim: Claim, reason: str, now: datetime) -> "DeadLetter":
        """The dead letter that a claimed batch becomes."""
        conversation = claim.keys.conversation
        return cls(
            key=claim.key,
            instance_name=conversation.instance_name,
            user_phone=conversation.user_phone,
            reason=reason,
            at=now.isoformat(timespec="milliseconds"),
            message_ids=tuple(message.message_id for message in claim.messages),
            payloads=claim.payloads,
        )

    @classmethod
    def from_json(cls, text: bytes | str) -> "DeadLetter":
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        fields["message_ids"] = tuple(fields["message_ids"])
        fields["payloads"] = tuple(fields["payloads"])
        return cls(**fields)

    def to_json(self) -> str:
        """As Redis keeps it: JSON in pure ASCII."""
        return encode(asdict(self)).decode("ascii")

    @property
    def conversation(self) -> Conversation:
        """Whose messages these are."""
        return Conversation(instance_name=self.instance_name, user_phone=self.user_phone)


class DeadLetters:
    """All dead letters on one Redis. Every method may raise `redis.exceptions.RedisError`."""

    def __init__(self, redis: "Redis", settings: Settings) -> None:
        self._redis = redis
        self._keyspace = keyspace(settings)

    async def all(self) -> Sequence[DeadLetter]:
        """Every dead letter, the oldest first."""
        found = []
        for shard in range(self._keyspace.shards):
            entries = await self._redis.hgetall(self._keyspace.dead(shard))
            found += [DeadLetter.from_json(entry) for entry in entries.values()]
        return sorted(found, key=lambda letter: (letter.at, letter.key))

    async def find(self, key: str) -> DeadLetter | None:
        """The dead letter of a batch, if there is one."""
        for shard in range(self._keyspace.shards):
            entry = await self._redis.hget(self._keyspace.dead(shard), key)
            if entry is not None:
                return DeadLetter.from_json(entry)
        return None

    async def requeue(self, letter: DeadLetter) -> str:
        """Put a batch back in flight, due at once, with its attempts to be counted afresh.

        Returns `requeued`, `busy` (the conversation has another batch in flight: try again) or `unknown` (it is no
        dead letter any more). The batch keeps its key: had it an effect after all, it has no second one.
        """
        keys = self._keys(letter)
        answer: bytes = await Script.load("engine.buffer.lease", "requeue.lua").run(
            self._redis,
            keys=[
                *(keys.due, keys.part("state"), keys.part("flight"), keys.dead),
                *(keys.seen(message_id) for message_id in letter.message_ids),
            ],
            args=[keys.member, letter.key, *letter.payloads],
        )
        return answer.decode()

    async def drop(self, letter: DeadLetter) -> bool:
        """Forget a dead letter for good; returns whether it was there."""
        return bool(await self._redis.hdel(self._keys(letter).dead, letter.key))

    def _keys(self, letter: DeadLetter) -> Keys:
        return self._keyspace.of(letter.conversation)
