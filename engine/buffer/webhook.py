"""What a webhook call brings: a plain message of our own form, or an event of the Evolution API.

Plain: `{"instance_name", "user_phone", "message_id", "text", "data"?, "sent_at"?}`, or the same in camelCase
(`instanceName`, `userPhone`, `messageId`, `messageData`, `sentAt`). An event has `"event"` and is described at
`_from_event`. Nothing outside of `data` is kept of an event, so its `apikey` is neither.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from engine.buffer.errors import BufferproofError
from engine.buffer.model import Conversation, Message
from engine.buffer.settings import Settings

MESSAGE_EVENT = "messages.upsert"
PERSON_SUFFIX = "s.whatsapp.net"


class BadWebhook(BufferproofError):
    """A call that is refused. Its text is one line, without the message's content; `status` is the HTTP answer."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Ignored:
    """A well-formed call that brings no message: it is answered 200, and nothing is done."""

    reason: str


def parse_webhook(body: Any, settings: Settings) -> Message | Ignored:
    """The message of a decoded body, or why there is none.

    Raises `BadWebhook`: 400 malformed, 413 the text is too long, 422 an id or a name is empty or too long, or the
    data is nested too deep.
    """
    if not isinstance(body, dict):
        raise BadWebhook("the body must be a JSON object")
    found = _from_event(body) if "event" in body else _from_plain(body)
    if isinstance(found, Message):
        _check_limits(found, settings)
    return found


def _from_plain(body: dict[str, Any]) -> Message:
    return Message(
        conversation=Conversation(
            instance_name=_text(body, "instance_name", "instanceName"),
            user_phone=_text(body, "user_phone", "userPhone"),
        ),
        message_id=_text(body, "message_id", "messageId"),
        text=_text(body, "text", "messageText"),
        data=body["data"] if "data" in body else body.get("messageData"),
        sent_at=_sent_at(body["sent_at"] if "sent_at" in body else body.get("sentAt")),
    )


def _from_event(body: dict[str, Any]) -> Message | Ignored:
    """A message of the Evolution API: the whole `data` object is the message's data.

    Ignored: other events, chats that are not one person's (groups, broadcasts), the bot's own messages, and messages
    without a text.
    """
    if body["event"] != MESSAGE_EVENT:
        return Ignored("another event")
    data = _object(body, "data")
    key = _object(data, "key")
    phone, at, server = _text(key, "remoteJid").partition("@")
    if not at:
        raise BadWebhook("remoteJid must be a phone and a server, joined by @")
    if server != PERSON_SUFFIX:
        return Ignored("a group" if server == "g.us" else "not a person's chat")
    if key.get("fromMe") is True:
        return Ignored("the bot's own message")
    text = _event_text(data.get("message"))
    if text is None:
        return Ignored("no text")
    return Message(
        conversation=Conversation(instance_name=_text(body, "instance"), user_phone=phone),
        message_id=_text(key, "id"),
        text=text,
        data=data,
        sent_at=_event_time(data.get("messageTimestamp")),
    )


def _event_text(message: Any) -> str | None:
    """The text of an event's message, or None. An empty one counts as a text if there is no other."""
    if not isinstance(message, dict):
        return None
    extended = message.get("extendedTextMessage")
    texts = [message.get("conversation"), extended.get("text") if isinstance(extended, dict) else None]
    present = [text for text in texts if isinstance(text, str)]
    return max(present, key=bool) if present else None  # the first that is not empty, else the empty one


def _event_time(seconds: Any) -> datetime | None:
    """Seconds since 1970, also as digits; what cannot be read is no reason to refuse a message."""
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdecimal() and len(seconds) < 20:
        seconds = int(seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _sent_at(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        sent_at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise BadWebhook("sent_at must be an ISO-8601 time") from None
    if sent_at.tzinfo is None:
        raise BadWebhook("sent_at must have a time zone, such as a final Z")
    return sent_at


def _text(body: dict[str, Any], *names: str) -> str:
    """The text under the first of these names that is there."""
    for name in names:
        if name in body:
            if not isinstance(body[name], str):
                raise BadWebhook(f"{name} must be a text")
            return str(body[name])
    raise BadWebhook(f"{names[0]} is missing")


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict):
        raise BadWebhook(f"{name} must be an object")
    return value


def _check_limits(message: Message, settings: Settings) -> None:
    names = {
        "message id": (message.message_id, settings.max_message_id_chars),
        "instance name": (message.conversation.instance_name, settings.max_name_chars),
        "user phone": (message.conversation.user_phone, settings.max_name_chars),
    }
    for what, (value, limit) in names.items():
        if not value:
            raise BadWebhook(f"the {what} is empty", 422)
        if len(value) > limit:
            raise BadWebhook(f"the {what} is longer than {limit} characters", 422)
    if len(message.text.encode("utf-8", "surrogatepass")) > settings.max_text_bytes:
        raise BadWebhook(f"the text is longer than {settings.max_text_bytes} bytes", 413)
    _check_data(message.data, settings.max_nesting)


def _check_data(data: Any, max_nesting: int) -> None:
    """Level by level rather than recursively: what is refused here may be deeper than the stack."""
    level, depth = [data], 0
    while level:
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
            elif isinstance(value, float) and not math.isfinite(value):
                raise BadWebhook("the data holds a number that JSON cannot carry")  # 1e999 is read as infinity
        if any(isinstance(value, dict | list) for value in level):
            depth += 1
            if depth > max_nesting:
                raise BadWebhook(f"the data is nested deeper than {max_nesting} levels", 422)
        level = below
