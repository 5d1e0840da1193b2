"""A helper of the strategies in this folder, imported as a sibling: messages and conversations as opaque texts."""

import json

from engine.buffer import Conversation, Message


def name_of(conversation: Conversation) -> str:
    """An unambiguous text for a conversation."""
    return json.dumps([conversation.instance_name, conversation.user_phone])


def conversation_of(name: str | bytes) -> Conversation:
    """The conversation of such a text."""
    instance, phone = json.loads(name)
    return Conversation(instance_name=instance, user_phone=phone)


def packed(message: Message) -> str:
    """A message as an opaque text in ASCII."""
    return json.dumps([message.message_id, message.text, message.data])


def unpacked(payload: str | bytes, conversation: Conversation) -> Message:
    """The message of such a text."""
    message_id, text, data = json.loads(payload)
    return Message(conversation=conversation, message_id=message_id, text=text, data=data)
