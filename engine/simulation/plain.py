"""What a strategy says, as JSON values of the history's own: what it changes later changes no event."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from engine.buffer.model import Conversation, Message


def plain_value(value: Any) -> Any:
    """A field of a function's event as a JSON value. What has no JSON form is named by its type."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Conversation):
        return [value.instance_name, value.user_phone]
    if isinstance(value, Message):
        return {"id": value.message_id, "text": value.text, "data": plain_value(value.data)}
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        return {str(plain_value(name)): plain_value(each) for name, each in value.items()}
    if isinstance(value, Sequence):
        return [plain_value(each) for each in value]
    if isinstance(value, set | frozenset):
        return sorted((plain_value(each) for each in value), key=repr)
    if isinstance(value, datetime):
        return value.isoformat()
    return f"<{type(value).__name__}>"  # its repr would hold an address


def by_conversation(messages: Sequence[Message]) -> Iterator[tuple[list[str], list[Any]]]:
    """Messages under their conversations, in the order in which these first come."""
    found: dict[Conversation, list[Message]] = {}
    for message in messages:
        found.setdefault(message.conversation, []).append(message)
    for conversation, its in found.items():
        yield plain_value(conversation), plain_value(its)
