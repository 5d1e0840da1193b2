import json
from datetime import UTC, datetime

from engine.buffer import Conversation, Message
from engine.simulation.plain import by_conversation, plain_value

BOT = Conversation(instance_name="bot", user_phone="1")
OTHER = Conversation(instance_name="bot", user_phone="2")


def message(conversation: Conversation, message_id: str, data: object = None) -> Message:
    return Message(conversation=conversation, message_id=message_id, text="t", data=data)


def test_what_a_strategy_says_becomes_json() -> None:
    said = {"at": datetime(2026, 1, 5, tzinfo=UTC), 1: b"\xff", "set": {"b", "a"}, "tuple": (BOT, None), "x": object()}
    assert plain_value(said) == {
        "at": "2026-01-05T00:00:00+00:00",
        "1": "\\xff",
        "set": ["a", "b"],
        "tuple": [["bot", "1"], None],
        "x": "<object>",
    }
    json.dumps(plain_value(said))


def test_what_a_strategy_changes_later_changes_no_event() -> None:
    data = {"list": [1]}
    plain = plain_value([message(BOT, "a", data)])
    data["list"].append(2)
    assert plain == [{"id": "a", "text": "t", "data": {"list": [1]}}]


def test_dead_letters_of_several_conversations_are_kept_apart() -> None:
    found = list(by_conversation([message(BOT, "a"), message(OTHER, "b"), message(BOT, "c")]))
    assert [(names, [each["id"] for each in its]) for names, its in found] == [
        (["bot", "1"], ["a", "c"]),
        (["bot", "2"], ["b"]),
    ]
    assert list(by_conversation([])) == []
