"""The buffer's document: one JSON object that every add and every mark reads and writes as a whole."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.buffer.model import Conversation, Message
from engine.buffer.runtime import encode

Document = dict[str, Any]


def iso(now: datetime) -> str:
    """A time as the plan writes it: ISO-8601, UTC, milliseconds. Such texts sort as the times do."""
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def entry_of(message: Message, now: datetime) -> dict[str, Any]:
    """A message as the document keeps it; `now` is the receiving function's clock."""
    return {
        "text": message.text,
        "timestamp": iso(now),
        "messageId": message.message_id,
        "messageData": message.data,
    }


def new_document(message: Message, now: datetime) -> Document:
    """A buffer with this one message."""
    at = iso(now)
    return {"messages": [entry_of(message, now)], "firstMessageAt": at, "lastMessageAt": at, "processed": False}


def append(document: Document, message: Message, now: datetime) -> None:
    """Add a message to a buffer in memory."""
    document["messages"].append(entry_of(message, now))
    document["lastMessageAt"] = iso(now)


def mark(document: Document, now: datetime) -> None:
    """Set the buffer processed, in memory."""
    document["processed"] = True
    document["processedAt"] = iso(now)


def is_open(document: Document | None) -> bool:
    """Present and not processed."""
    return document is not None and not document["processed"]


def age_ms(written: str, now: datetime) -> int:
    """How long ago (own clock, whole milliseconds) a time of a document was; negative under a skewed clock."""
    return (now - datetime.fromisoformat(written)) // timedelta(milliseconds=1)


def batch_of(document: Document, conversation: Conversation) -> list[Message]:
    """The messages to hand over: blank texts dropped, the rest by their timestamp, ties in their order."""
    entries = [entry for entry in document["messages"] if entry["text"].strip()]
    entries.sort(key=lambda entry: str(entry["timestamp"]))
    return [
        Message(
            conversation=conversation,
            message_id=entry["messageId"],
            text=entry["text"],
            data=entry.get("messageData"),
        )
        for entry in entries
    ]


def dump(document: Document) -> bytes:
    """The document as it is stored."""
    return encode(document)


def load(stored: bytes | str | None) -> Document | None:
    """The stored document, or None if there is none."""
    if stored is None:
        return None
    document: Document = json.loads(stored)
    return document
