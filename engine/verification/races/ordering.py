"""Races that change the order of messages."""

from collections.abc import Iterator

from engine.verification.races.match import Found
from engine.verification.races.scene import Scene
from engine.verification.records import Sent


def sorted_by_skewed_clocks(scene: Scene) -> Iterator[Found]:
    """A batch is sorted by the clocks of the functions that received its messages, and these disagree."""
    if not any(scene.history[index]["kind"] == "clock_skew" for index in scene.facts.faults):
        return
    for batch in scene.facts.handovers.values():
        if batch.effect is None:
            continue
        for second, first in zip(batch.members, batch.members[1:], strict=False):
            if _precedes(first, second) and _function(first) != _function(second) and first.confirmed is not None:
                told = (
                    f"{first.label} was confirmed at {scene.at(first.confirmed)} by {_function(first)}, before {second.label}"
                    f" was sent at {scene.at(second.first_sent)} to {_function(second)}, whose clock is behind: the batch of"
                    f" {scene.at(batch.sent)}, sorted by these clocks, has {second.label} first"
                )
                yield told, (first.confirmed, second.first_sent, batch.sent), (first.label, second.label)


def _precedes(first: Sent, second: Sent) -> bool:
    return first.confirmed is not None and first.confirmed < second.first_sent


def _function(message: Sent) -> str:
    return next((call.function for call in message.calls if call.accepted), "")
