"""What flows through a buffer: messages, conversations, and the answers a strategy gives. Pure values."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """One person talking to one bot instance. Both names may hold any character."""

    instance_name: str
    user_phone: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message of a conversation, as the webhook brought it.

    `data` is any JSON value and must reach the processor unchanged. `sent_at` is an aware datetime, or None where
    the provider gave none (or a strategy did not keep it: judges never compare it).
    """

    conversation: Conversation
    message_id: str
    text: str
    data: Any = None
    sent_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What a strategy answers to a webhook call.

    `success`: the message is taken. `fallback_to_immediate`: the engine hands this one message over at once, without
    a key. `buffer_created` and `repeated` (the message was there already) are information only.
    """

    success: bool = True
    buffer_created: bool = False
    fallback_to_immediate: bool = False
    repeated: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """What a strategy answers to a delivery call: whether it went well, and how many messages were processed."""

    success: bool = True
    processed: int = field(default=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """What waits in Redis: conversations with anything unfinished, and for how long the longest waiting has been due."""

    conversations: int
    oldest_overdue_seconds: float
