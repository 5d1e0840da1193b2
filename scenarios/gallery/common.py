"""What the field designs share: how a message is stored, and keys made by joining the names, as these programs do."""

import json
from collections.abc import Sequence
from typing import Any

from engine.buffer import Conversation, Message


def key_of(kind: str, conversation: Conversation) -> str:
    """A key as the programs make it: names that differ in where a colon stands share it."""
    return f"{kind}:{conversation.instance_name}:{conversation.user_phone}".encode("utf-8", "surrogatepass").decode(
        "utf-8", "backslashreplace"
    )


def entry_of(message: Message, **more: Any) -> str:
    """A message as a list's entry."""
    return json.dumps({"id": message.message_id, "text": message.text, "data": message.data, **more})


def messages_of(conversation: Conversation, entries: Sequence[Any]) -> list[Message]:
    """The messages of a list's entries."""
    found = [json.loads(entry) for entry in entries]
    return [
        Message(conversation=conversation, message_id=each["id"], text=each["text"], data=each["data"])
        for each in found
    ]
