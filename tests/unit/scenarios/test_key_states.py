"""What a key holds is shown, and its messages are recognised, whatever the type of the key."""

from typing import Any

import fakeredis
import pytest

from scenarios.key_states import signs_of, state_of


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("SET", "key", "text 1"), "text 1"),
        (("RPUSH", "key", "text 1", "other"), "[text 1, other]"),
        (("SADD", "key", "text 1"), "[text 1]"),
        (("HSET", "key", "id-1", "text 1"), "[id-1: text 1]"),
        (("ZADD", "key", 1, "text 1"), "[text 1: 1]"),
        (("GEOADD", "key", 1, 2, "text 1"), None),
        (("XADD", "key", "1-1", "text", "text 1"), "[[1-1, [text, text 1]]]"),
    ],
)
def test_a_message_is_recognised_in_a_key_of_any_type(command: tuple[Any, ...], shown: str | None) -> None:
    server = fakeredis.FakeServer()
    fakeredis.FakeStrictRedis(server=server).execute_command(*command)  # type: ignore[no-untyped-call]
    state = state_of(server.dbs[0], "key", signs_of([("m1", "text 1"), ("m2", "text 2")]))
    assert state["messages"] == ["m1"]
    assert shown is None or state["value"] == shown
    assert state["ends_ms"] is None


def test_a_message_beyond_what_is_shown_is_recognised_too() -> None:
    server = fakeredis.FakeServer()
    fakeredis.FakeStrictRedis(server=server).rpush("key", *["x" * 50] * 50, "text 1")
    state = state_of(server.dbs[0], "key", signs_of([("m1", "text 1")]))
    assert len(state["value"]) == 400
    assert state["messages"] == ["m1"]
