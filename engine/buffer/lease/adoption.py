"""Taking over what `lock` and `lua` left in Redis when a rollout stopped them: unprocessed `msg_buffer:…` documents.

A conversation's document is adopted before its first claim, so that what the old design accepted is answered first; a
slow scan finds those whose conversation stays silent. The two designs' keys lie in different slots, so this is no
single step: the messages are added first (recognised by their ids, so twice does no harm), and only then is the
document removed, if it is still what was read. A crash in between leaves both, and the next look takes nothing twice.

This is right once the functions of the old design have stopped. While one of them is still handing over what it has
read (without a claim and without a key), nobody can tell; such a batch may be answered twice. In a name that was
scanned, the last colon parts instance and phone: the plan's keys are ambiguous, and phones hold none.
"""

import json
from typing import Any

from redis.exceptions import ResponseError

from engine.buffer.lease.store import LeaseStore
from engine.buffer.model import Conversation, Message
from engine.buffer.runtime import Runtime
from engine.buffer.scripts import Script

PREFIX = b"msg_buffer:"
#: The scan runs at a function's first tick and every third from there: twice within the 60 s that a buffer of the plan
#: is left to live. One that failed is made up for at the next tick: after an outage there may be no later chance.
SCAN_EVERY_TICKS = 3
SCAN_COUNT = 1_000


class Adoption:
    """Moves buffers in the plan's format into `lease`. Documents that are processed are left to their TTL."""

    def __init__(self, runtime: Runtime, store: LeaseStore) -> None:
        self._runtime = runtime
        self._store = store
        self._next_scan_tick = 1

    def is_due(self, tick: int) -> bool:
        """Whether to scan at this tick (the first is 1)."""
        return tick >= self._next_scan_tick

    async def adopt_all(self, tick: int) -> int:
        """Adopt every document that there is; returns how many messages were taken. Raises `RedisError`."""
        taken = 0
        async for key in self._runtime.redis.scan_iter(match=PREFIX + b"*", count=SCAN_COUNT):
            conversation = _named_by(key)
            taken += await self.adopt(conversation) if conversation is not None else 0
        self._next_scan_tick = tick + SCAN_EVERY_TICKS
        return taken

    async def adopt(self, conversation: Conversation) -> int:
        """Adopt a conversation's document, if it has one; returns how many messages were taken. Raises `RedisError`."""
        name = f"{conversation.instance_name}:{conversation.user_phone}"
        key = PREFIX + name.encode("utf-8", "surrogatepass")
        try:
            document: Any = await self._runtime.redis.get(key)
        except ResponseError:  # a list or a hash: another program's, which must not stop the delivery
            return 0
        messages = _unprocessed(document, conversation)
        if document is None or not messages:
            return 0
        taken = await self._store.adopt(conversation, messages, delay_ms=await self._delay_ms(key))
        script = Script.load("engine.buffer.lease", "delete_if_same.lua")
        await script.run(self._runtime.redis, keys=[key], args=[document])
        names = [conversation.instance_name, conversation.user_phone]
        self._runtime.note("adopted", conversation=names, messages=taken)
        return taken

    async def _delay_ms(self, key: bytes) -> int:
        """How long the document's buffer still has to wait.

        Its own times are from the clocks of functions, which are skewed. What is left of its TTL says, by the server's
        clock, how long ago the last add was, and so how long ago the first was at least.
        """
        settings = self._runtime.settings
        left_ms = await self._runtime.redis.pttl(key)
        age_ms = settings.buffer_ttl_seconds * 1_000 * settings.time_scale - left_ms if left_ms >= 0 else 0
        return max(0, round(settings.buffer_delay_ms * settings.time_scale - max(0.0, age_ms)))


def _named_by(key: bytes) -> Conversation | None:
    """The conversation whose document this is; None for a key that no function of the plan can have written."""
    try:
        instance, colon, phone = key.removeprefix(PREFIX).decode("utf-8", "surrogatepass").rpartition(":")
    except UnicodeDecodeError:
        return None
    return Conversation(instance_name=instance, user_phone=phone) if colon else None


def _unprocessed(document: bytes | None, conversation: Conversation) -> list[Message]:
    """The messages of a document in its order; none if it is processed or no buffer of the plan at all."""
    try:
        buffer: Any = json.loads(document) if document is not None else None
        if not isinstance(buffer, dict) or buffer.get("processed"):
            return []
        return [_message(entry, conversation) for entry in buffer["messages"]]
    except (ValueError, KeyError, TypeError):
        return []


def _message(entry: dict[str, Any], conversation: Conversation) -> Message:
    return Message(
        conversation=conversation,
        message_id=str(entry["messageId"]),
        text=str(entry["text"]),
        data=entry.get("messageData"),
    )
