"""What a strategy gives its runtime by mistake is refused at the call, before the history has a line of it."""

from typing import Any

import pytest

from tests.unit.buffer.world import CONVERSATION, World, message


@pytest.mark.parametrize(
    ("messages", "given", "error"),
    [
        ([], {}, ValueError),
        ("text", {}, TypeError),
        ([message(1), 5], {}, TypeError),
        ([message(1)], {"key": b"key"}, TypeError),
        ([message(1)], {"fence": "7"}, TypeError),
        ([message(1)], {"fence": 1.5}, TypeError),
    ],
)
async def test_a_hand_over_of_something_else_is_refused(
    world: World, messages: Any, given: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"hand_over\(\)"):
        await world.runtime().hand_over(messages, **given)
    assert world.events == []
    assert world.batches == []


async def test_a_status_and_a_dead_letter_of_something_else_are_refused(world: World) -> None:
    with pytest.raises(ValueError, match='takes "success" or "failed"'):
        await world.runtime().report_status(CONVERSATION, "done")
    with pytest.raises(TypeError, match=r"dead_letter\(\) takes messages"):
        await world.runtime().dead_letter(["m1"], "why")  # type: ignore[list-item]
    assert world.events == []


async def test_a_note_s_fields_hide_nothing_that_a_line_has_already(world: World) -> None:
    fields: dict[str, Any] = {"t": 1, "event": "x", "function": "f9", "note": "y", "self": 2, "free": 3}
    world.runtime().note("claimed", **fields)
    ((event, noted),) = world.events
    assert event == "note"
    assert noted == {
        "note": "claimed",
        **{f"{name}_": value for name, value in fields.items() if name != "free"},
        "free": 3,
    }
