"""What a history says of one message, one call, one hand-over, one conversation: the parts of `Facts`.

Positions (`sent`, `accepted`, `effect` …) are indexes into the history, None where the event is not there. The earlier
of two events is the one with the lower index, also within one millisecond.
"""

from dataclasses import dataclass, field
from typing import Any

from engine.verification.history import Event, canonical

Names = tuple[str, str]


@dataclass(slots=True, eq=False)
class Call:
    """One webhook call: one sending of one message."""

    message: "Sent"
    sent: int
    text: Any
    data: Any
    function: str = ""
    arrived: int | None = None
    answered: int | None = None
    status: int = 0
    failed: int | None = None

    @property
    def accepted(self) -> bool:
        """Whether a function answered it 2xx."""
        return self.answered is not None and 200 <= self.status < 300


@dataclass(slots=True, eq=False)
class Sent:
    """One message, the pair (conversation, id), with everything that happened to it."""

    conversation: Names
    id: str
    label: str
    first_sent: int
    calls: list[Call] = field(default_factory=list)
    received: int | None = None
    accepted: int | None = None
    confirmed: int | None = None
    handovers: list["HandOver"] = field(default_factory=list)
    effects: list[tuple[int, int]] = field(default_factory=list)  # (event, place in its batch), each occurrence
    dead_letters: list[int] = field(default_factory=list)

    @property
    def first_effect(self) -> int | None:
        """Where its first effect is."""
        return self.effects[0][0] if self.effects else None

    def payloads(self) -> list[Call]:
        """The calls whose payload may be the first: those received before the message was accepted by another call.

        Of two sendings at the same time either may be the first; one that arrives after acceptance is a repeat.
        """
        limit = self.accepted
        calls = [c for c in self.calls if c.arrived is not None and (limit is None or c.arrived < limit)]
        return calls or self.calls[:1]


@dataclass(slots=True, eq=False)
class HandOver:
    """One hand-over, from its beginning to its end at the processor and as the function saw it."""

    call: str
    conversation: Names
    function: str
    sent: int
    messages: list[Event]
    ids: tuple[str, ...]
    members: tuple[Sent, ...]  # those that were sent under this conversation
    key: str | None
    fence: int | None
    arrived: int | None = None
    ended: int | None = None
    effect: int | None = None
    worked: bool = True  # false: joined another at work, answered as a repeat, or refused as stale
    confirmed: int | None = None
    failed: int | None = None
    refused: bool = False
    refused_at: int | None = None  # where the processor refused it: before that nobody could know


@dataclass(slots=True, eq=False)
class Delivery:
    """One delivery call: who posted it, and every function that served it."""

    function: str
    posted: int
    arrivals: list[tuple[int, str]] = field(default_factory=list)
    answers: list[tuple[int, str]] = field(default_factory=list)
    confirmed: int | None = None
    status: int = 0

    def served(self, handover: HandOver) -> bool:
        """Whether a hand-over was begun by a function while it served this call."""
        return self.served_until(handover, handover.sent + 1) is not None

    def served_until(self, handover: HandOver, unanswered: int) -> int | None:
        """Where the function that began a hand-over while it served this call answered it; None: it did not serve this call."""
        for arrived, function in self.arrivals:
            if function == handover.function and arrived < handover.sent:
                end = next((index for index, name in self.answers if name == function and index > arrived), unanswered)
                if handover.sent < end:
                    return end
        return None


@dataclass(slots=True, eq=False)
class Talk:
    """One conversation: its messages, hand-overs, deliveries and statuses, each in the order of the history."""

    names: Names
    messages: list[Sent] = field(default_factory=list)
    handovers: list[HandOver] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)


def names_of(event: Event) -> Names:
    """The conversation of an event."""
    instance, phone = event["conversation"]
    return instance, phone


def identity(message_id: Any) -> str:
    """A message id to look up by. One that is no text is none that was ever sent; it gets a text no message has."""
    return message_id if type(message_id) is str else f"\0{canonical(message_id)}"


def seconds(ms: int) -> str:
    """Virtual milliseconds as seconds with three decimals."""
    return f"{ms / 1000:.3f} s"


def listed(labels: list[str]) -> str:
    """Labels in a sentence: `m1`, `m1 and m2`, `m1, m2 and m3`."""
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"
