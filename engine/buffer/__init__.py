"""The system under test, as production runs it. Strategies, also those from outside, import from here alone."""

from engine.buffer.errors import (
    BufferproofError,
    HandOverError,
    HandOverFailed,
    HandOverRefused,
    HandOverUnanswered,
    UsageError,
)
from engine.buffer.model import Backlog, Conversation, Delivery, Message, Receipt
from engine.buffer.runtime import Runtime
from engine.buffer.settings import Settings
from engine.buffer.strategy import Strategy

__all__ = [
    "Backlog",
    "BufferproofError",
    "Conversation",
    "Delivery",
    "HandOverError",
    "HandOverFailed",
    "HandOverRefused",
    "HandOverUnanswered",
    "Message",
    "Receipt",
    "Runtime",
    "Settings",
    "Strategy",
    "UsageError",
]
