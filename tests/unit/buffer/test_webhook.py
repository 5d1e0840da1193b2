from datetime import UTC, datetime
from typing import Any

import pytest

from engine.buffer.model import Message
from engine.buffer.settings import Settings
from engine.buffer.webhook import BadWebhook, Ignored, parse_webhook

SETTINGS = Settings.fixed(None, {"MAX_TEXT_BYTES": 100, "MAX_MESSAGE_ID_CHARS": 20, "MAX_NAME_CHARS": 20})
PLAIN = {"instance_name": "bot", "user_phone": "49151", "message_id": "m1", "text": "hello"}


def event(**changes: Any) -> dict[str, Any]:
    """An Evolution event; a change is made under the key, in `data`, or at the top, wherever its name belongs."""
    key: dict[str, Any] = {"remoteJid": "49151@s.whatsapp.net", "fromMe": False, "id": "3EB0"}
    data: dict[str, Any] = {
        "key": key,
        "pushName": "Ana",
        "message": {"conversation": "hello"},
        "messageType": "conversation",
        "messageTimestamp": 1_767_225_600,
    }
    top: dict[str, Any] = {"event": "messages.upsert", "instance": "bot", "data": data, "apikey": "top-secret"}
    for name, value in changes.items():
        (key if name in key else data if name in data else top)[name] = value
    return top


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


def parsed(body: Any) -> Message:
    found = parse_webhook(body, SETTINGS)
    assert isinstance(found, Message)
    return found


def test_a_plain_message_is_taken_in_both_spellings() -> None:
    snake = parsed({**PLAIN, "data": {"a": []}, "sent_at": "2026-01-01T00:00:00Z"})
    camel = parsed(
        {
            "instanceName": "bot",
            "userPhone": "49151",
            "messageId": "m1",
            "text": "hello",
            "messageData": {"a": []},
            "sentAt": "2026-01-01T00:00:00+00:00",
        }
    )
    assert snake == camel
    assert snake.sent_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert (snake.conversation.instance_name, snake.conversation.user_phone) == ("bot", "49151")


def test_an_event_gives_its_whole_data_and_nothing_else() -> None:
    body = event()
    message = parsed(body)
    assert message.data == body["data"]
    assert (message.conversation.instance_name, message.conversation.user_phone) == ("bot", "49151")
    assert (message.message_id, message.text) == ("3EB0", "hello")
    assert message.sent_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert "top-secret" not in repr(message)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"conversation": "a"}, "a"),
        ({"extendedTextMessage": {"text": "b"}}, "b"),
        ({"conversation": "", "extendedTextMessage": {"text": "b"}}, "b"),
        ({"conversation": "a", "extendedTextMessage": {"text": "b"}}, "a"),
        ({"conversation": ""}, ""),
        ({"conversation": None, "extendedTextMessage": {"text": "b"}}, "b"),
    ],
)
def test_the_text_of_an_event_is_found(content: dict[str, Any], text: str) -> None:
    assert parsed(event(message=content)).text == text


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (event(event="connection.update"), "another event"),
        ({"event": "messages.update"}, "another event"),
        (event(remoteJid="12036@g.us"), "a group"),
        (event(remoteJid="status@broadcast"), "not a person's chat"),
        (event(fromMe=True), "the bot's own message"),
        (event(message={"imageMessage": {"url": "x"}}), "no text"),
        (event(message=None), "no text"),
        (event(message={"extendedTextMessage": {"text": 7}}), "no text"),
        (event(message={"imageMessage": {}}, id=""), "no text"),
    ],
)
def test_a_call_that_brings_no_message_is_ignored(body: Any, reason: str) -> None:
    assert parse_webhook(body, SETTINGS) == Ignored(reason)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 400),
        (None, 400),
        ("text", 400),
        ({}, 400),
        ({**PLAIN, "text": 7}, 400),
        ({**PLAIN, "user_phone": None}, 400),
        ({**PLAIN, "sent_at": "yesterday"}, 400),
        ({**PLAIN, "sent_at": "2026-01-01T00:00:00"}, 400),
        ({**PLAIN, "sent_at": 17}, 400),
        ({**PLAIN, "data": [float("inf")]}, 400),
        ({**PLAIN, "message_id": ""}, 422),
        ({**PLAIN, "message_id": "x" * 21}, 422),
        ({**PLAIN, "instance_name": ""}, 422),
        ({**PLAIN, "user_phone": "1" * 21}, 422),
        ({**PLAIN, "text": "x" * 101}, 413),
        ({**PLAIN, "text": "م" * 51}, 413),
        ({**PLAIN, "data": nested(201)}, 422),
        (event(data=None), 400),
        (event(key=None), 400),
        (event(remoteJid=None), 400),
        (event(remoteJid="49151"), 400),
        (event(remoteJid="@s.whatsapp.net"), 422),
        (event(instance=7), 400),
        (event(id=""), 422),
        (event(id=7), 400),
    ],
)
def test_a_bad_call_is_refused_in_one_line(body: Any, status: int) -> None:
    with pytest.raises(BadWebhook) as refused:
        parse_webhook(body, SETTINGS)
    assert refused.value.status == status
    assert str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("1767225600", datetime(2026, 1, 1, tzinfo=UTC)),
        (1_767_225_600.0, datetime(2026, 1, 1, tzinfo=UTC)),
        (None, None),
        (True, None),
        (10**30, None),
        ("²", None),
        ({"low": 1, "high": 0}, None),
    ],
)
def test_an_unreadable_time_of_an_event_is_no_reason_to_refuse_it(timestamp: Any, expected: datetime | None) -> None:
    assert parsed(event(messageTimestamp=timestamp)).sent_at == expected


def test_what_is_just_within_the_limits_is_taken() -> None:
    body = {**PLAIN, "message_id": "x" * 20, "text": "م" * 50, "data": nested(200)}
    assert parsed(body).data == body["data"]


def test_names_ids_and_texts_may_hold_any_character() -> None:
    odd = "a:b{}\x00\ud800é\n"
    message = parsed({**PLAIN, "instance_name": odd, "user_phone": odd, "message_id": odd, "text": odd})
    assert {message.conversation.instance_name, message.conversation.user_phone, message.message_id, message.text} == {
        odd
    }
