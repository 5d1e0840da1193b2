"""What a batch carries against what was received: the comparison that `isolation` and `integrity` share."""

from collections.abc import Iterator
from typing import Any

from engine.verification.facts import Facts
from engine.verification.history import Event, canonical
from engine.verification.records import Names, Sent, names_of


def carried(facts: Facts) -> Iterator[tuple[int, Names, Event]]:
    """Every message that the processor got to work on, and every one in an effect: (event, conversation, message).

    What a hand-over carries that joined another, was a repeat of its key or was refused reaches nobody.
    """
    for handover in facts.handovers.values():
        for index in (handover.arrived if handover.worked else None, handover.effect):
            if index is not None:
                names = names_of(facts.history[index])
                for raw in facts.history[index]["messages"]:
                    yield index, names, raw


def sent_before(facts: Facts, names: Names, message_id: Any, index: int) -> Sent | None:
    """The message of this id, if it was sent under this conversation before an event."""
    message = facts.find(names, message_id)
    return message if message is not None and message.first_sent < index else None


def difference(message: Sent, raw: Event) -> str | None:
    """The first field (`text`, `data`) that differs from every payload that may be the message's first; or None."""
    found = None
    for call in message.payloads():
        if not same(call.text, raw.get("text")):
            found = found or "text"
        elif not same(call.data, raw.get("data")):
            found = "data"
        else:
            return None
    return found


def same(one: Any, other: Any) -> bool:
    """Equality as JSON values with their types: 1, 1.0 and true differ; the order of an object's names does not count."""
    if one is other:
        return True
    if type(one) is str and type(other) is str:
        return one == other
    return canonical(one) == canonical(other)
