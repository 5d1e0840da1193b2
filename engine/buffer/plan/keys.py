"""The plan's keys. The names are joined by colons and nothing is escaped, as in the plan."""

from engine.buffer.model import Conversation


def buffer_key(conversation: Conversation) -> bytes:
    """Where the document with the buffered messages is."""
    return _key("msg_buffer", conversation)


def timer_key(conversation: Conversation) -> bytes:
    """Where it is written when the delivery is due."""
    return _key("msg_timer", conversation)


def lock_key(conversation: Conversation) -> bytes:
    """What `lock` holds while it adds or marks."""
    return _key("lock", conversation)


def status_key(conversation: Conversation) -> bytes:
    """Where the outcome of a delivery is written."""
    return _key("processing_status", conversation)


def _key(prefix: str, conversation: Conversation) -> bytes:
    # Bytes, because the client's own encoding refuses lone surrogates, which a JSON name may hold.
    return f"{prefix}:{conversation.instance_name}:{conversation.user_phone}".encode("utf-8", "surrogatepass")
