"""Keys of designs that hold a conversation's keys together: unambiguous names, and one hash slot a shard.

A name may hold any character, so each part of a key is percent-encoded by itself: `:` joins the parts and stands in
none of them, and neither do `{` and `}`, which a Redis Cluster reads as the hash tag. Lone surrogates, which JSON
allows, go through `surrogatepass`, so that two different names never share a key.
"""

import hashlib
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from engine.buffer.model import Conversation


@dataclass(frozen=True, slots=True)
class Keys:
    """Where one conversation's state is. All of it shares the slot of its shard."""

    conversation: Conversation
    #: The conversation as it stands in the due index; `conversation_of` reads it back.
    member: str
    #: A short name of it that is safe in HTTP headers: the first half of its batches' idempotency keys.
    digest: str
    tag: str
    dead: str

    @property
    def due(self) -> str:
        """The shard's due index: a sorted set of members by the instant (µs) at which to look at them."""
        return f"{self.tag}:due"

    def part(self, kind: str) -> str:
        """The key of one part of the conversation's state."""
        return f"{self.tag}:{kind}:{self.member}"

    def seen(self, message_id: str) -> str:
        """The repeat marker of one message."""
        return f"{self.tag}:seen:{self.member}:{encoded(message_id)}"


@dataclass(frozen=True, slots=True)
class Keyspace:
    """All keys of one design. `prefix` is short and plain; `shards` must not change while anything is unfinished."""

    prefix: str
    shards: int

    def of(self, conversation: Conversation) -> Keys:
        """The keys of one conversation."""
        member = member_of(conversation)
        digest = hashlib.blake2b(member.encode("ascii"), digest_size=16).hexdigest()
        shard = int(digest[:8], 16) % self.shards
        return Keys(conversation, member, digest, self.tag(shard), self.dead(shard))

    def tag(self, shard: int) -> str:
        """The hash tag that every key of a shard carries."""
        return f"{{{self.prefix}:{shard}}}"

    def due(self, shard: int) -> str:
        """The due index of a shard."""
        return f"{self.tag(shard)}:due"

    def dead(self, shard: int) -> str:
        """The dead letters of a shard. The name begins apart, as they stay when all else is finished."""
        return f"dead:{self.tag(shard)}"


def encoded(name: str) -> str:
    """A name in plain ASCII letters, digits, `_.-~` and `%`; different names stay different."""
    return quote(name.encode("utf-8", "surrogatepass"), safe="")


def member_of(conversation: Conversation) -> str:
    """A conversation as one text, from which `conversation_of` gets it back."""
    return f"{encoded(conversation.instance_name)}:{encoded(conversation.user_phone)}"


def conversation_of(member: bytes) -> Conversation:
    """The conversation that a member names. Raises `ValueError` if it is none."""
    instance, colon, phone = member.partition(b":")
    if not colon:
        raise ValueError(f"{member!r} is no member of a due index")
    return Conversation(instance_name=_decoded(instance), user_phone=_decoded(phone))


def _decoded(part: bytes) -> str:
    return unquote_to_bytes(part).decode("utf-8", "surrogatepass")
