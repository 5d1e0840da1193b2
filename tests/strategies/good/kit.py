"""What several designs share: names, payloads, the outcome of a hand-over."""

import json
from typing import Any

from engine.buffer import Conversation, HandOverError, HandOverRefused, Message

NOW = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local us = string.format('%.0f', t[1] * 1000000 + t[2])
"""


def name_of(c: Conversation) -> str:
    return json.dumps([c.instance_name, c.user_phone])


def conversation_of(name: Any) -> Conversation:
    instance, phone = json.loads(name)
    return Conversation(instance_name=instance, user_phone=phone)


def packed(m: Message) -> str:
    return json.dumps([m.message_id, m.text, m.data])


def unpacked(raw: Any, c: Conversation) -> Message:
    i, text, data = json.loads(raw)
    return Message(conversation=c, message_id=i, text=text, data=data)


def mid(m: Message) -> str:
    return json.dumps(m.message_id)


async def outcome(runtime: Any, messages: list[Message], key: str, fence: int, tries: int) -> str:
    """done, retry, dead or refused."""
    try:
        await runtime.hand_over(messages, key=key, fence=fence)
    except HandOverRefused:
        return "refused"
    except HandOverError as error:
        if tries < runtime.settings.max_retry_attempts:
            return "retry"
        await runtime.dead_letter(messages, str(error))
        return "dead"
    return "done"


def rnd(runtime: Any) -> str:
    return f"{runtime.random.getrandbits(128):032x}"


def keep(runtime: Any) -> int:
    return runtime.settings.repeat_horizon_seconds + 600
