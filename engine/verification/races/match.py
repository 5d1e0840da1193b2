"""What a named race is, and what it found in a history."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.verification.races.scene import Scene


@dataclass(frozen=True, slots=True)
class RaceMatch:
    """A race in a history: the sentence that explains the violation, its two to four events, the messages concerned."""

    race: str
    invariant: str
    explanation: str
    events: tuple[int, ...]
    messages: tuple[str, ...]


Found = tuple[str, tuple[int, ...], tuple[str, ...]]
"""A sentence, events, message labels."""


@dataclass(frozen=True, slots=True)
class Race:
    """A named predicate on histories."""

    name: str
    invariants: tuple[str, ...]
    description: str
    find: Callable[["Scene"], Iterator[Found]]
