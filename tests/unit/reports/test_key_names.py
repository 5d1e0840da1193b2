"""A key is called by what it is, not whose, however a design builds its keys."""

import pytest

from reports.key_names import KeyNames

SENT = {"t": 0, "event": "webhook.sent", "conversation": ["bot", "4915110000001"], "id": "id-1"}
NAMES = KeyNames([SENT])


@pytest.mark.parametrize(
    ("key", "short"),
    [
        ("msg_buffer:bot:4915110000001", "msg_buffer"),
        ("{bot:4915110000001}:pending", "pending"),
        ("shop:buffer:bot:4915110000001", "shop:buffer"),
        ('shop:["bot", "4915110000001"]', "shop"),
        ('shop:["bot", "4915110000001"]:lock', "shop:lock"),
        ('seen:{"id": "x", "text": "\\"hi", "data": null}', "seen"),
        ('["naive", "bot", "4915110000001"]', "naive"),
        ("bot/4915110000001/seen/id-1", "seen"),
        ("due:{3}", "due"),
        ("robot:bot", "robot"),
        ("lock:0123456789abcdef", "lock"),
        ("chat:4915999999999", "chat"),
        ("4915110000001", "4915110000001"),
        ("our-company:production:chat:buffer:bot", "production:chat:buffer"),
        ("9" * 99, "9" * 23 + "…"),
        ("", ""),
    ],
)
def test_a_key_is_called_by_what_it_is(key: str, short: str) -> None:
    assert NAMES[key] == short


def test_an_empty_history_knows_no_names() -> None:
    assert KeyNames([])["list:bot"] == "list:bot"
