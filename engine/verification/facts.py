"""One pass over a history: who sent what, when it was accepted, handed over, effected. What all judges read."""

from collections.abc import Callable
from typing import Any

from engine.verification.history import Event, History
from engine.verification.records import Call, Delivery, HandOver, Names, Sent, Talk, identity, names_of, seconds


class Facts:
    """The index of one history. Raises `KeyError`, `TypeError` or `ValueError` if the history is not one."""

    def __init__(self, history: History) -> None:
        if not history or history[0].get("event") != "start":
            raise ValueError("a history begins with the event start")
        self.history = history
        self.start = history[0]
        self.end: Event | None = history[-1] if history[-1].get("event") == "end" else None
        self.attempts: int = self.start.get("attempts", 1)
        self.delay_ms: int = self.start.get("delay_ms", 0)
        self.messages: dict[tuple[Names, str], Sent] = {}
        self.talks: dict[Names, Talk] = {}
        self.calls: dict[str, Call] = {}
        self.handovers: dict[str, HandOver] = {}
        self.deliveries: dict[str, Delivery] = {}
        self.effects: list[int] = []
        self.effect_of_key: dict[str, int] = {}
        self.dead_letters: list[int] = []
        self.faults: list[int] = []
        self.healed: int | None = None
        #: When each function that was started or stopped within the run began and ended, in virtual milliseconds.
        self.lives: dict[str, tuple[int, int | None]] = {}
        self._lost: list[Sent] | None = None
        self._read()

    @property
    def complete(self) -> bool:
        """Whether the run came to its end, so that what has not happened will not."""
        return self.end is not None and bool(self.end.get("completed"))

    @property
    def lost(self) -> list[Sent]:
        """Accepted messages without an effect that were not properly dead-lettered: lost, once the run is complete."""
        if self._lost is None:
            self._lost = [
                m
                for m in self.messages.values()
                if m.accepted is not None and not m.effects and self.dead_lettered(m) is None
            ]
        return self._lost

    def dead_lettered(self, message: Sent) -> int | None:
        """Where the message was rightly given up: after `attempts` hand-overs begun, not confirmed and not refused."""
        for index in message.dead_letters:
            if self.unconfirmed(message, index) >= self.attempts:
                return index
        return None

    def handed_over_elsewhere(self, message: Sent) -> HandOver | None:
        """The first hand-over of its id and text under another conversation, to which that id was not sent; None: there is none."""
        text = self.history[message.first_sent]["text"]
        others = (h for h in self.handovers.values() if h.conversation != message.conversation and message.id in h.ids)
        for handover in others:
            sent_there = any(member.id == message.id for member in handover.members)
            if not sent_there and any((raw["id"], raw["text"]) == (message.id, text) for raw in handover.messages):
                return handover
        return None

    def unconfirmed(self, message: Sent, before: int) -> int:
        """How many hand-overs of a message were begun and not confirmed before an event; the refused do not count."""
        return sum(
            h.sent < before
            and (h.refused_at is None or h.refused_at > before)
            and (h.confirmed is None or h.confirmed > before)
            for h in message.handovers
        )

    def ms(self, index: int) -> int:
        """When an event happened, in virtual milliseconds."""
        return self.history[index]["t"]  # type: ignore[no-any-return]

    def at(self, index: int) -> str:
        """When an event happened, as a person reads it: `8.214 s`."""
        return seconds(self.history[index]["t"])

    def talk(self, names: Names) -> Talk:
        """The conversation of these names; an empty one if nothing was heard of it."""
        talk = self.talks.get(names)
        if talk is None:
            talk = self.talks[names] = Talk(names)
        return talk

    def find(self, names: Names, message_id: Any) -> Sent | None:
        """The message of this id that was sent under this conversation."""
        return self.messages.get((names, identity(message_id)))

    def _read(self) -> None:
        readers = {kind: reader.__get__(self) for kind, reader in _READERS.items()}
        for index, event in enumerate(self.history):
            reader = readers.get(event["event"])
            if reader is not None:
                reader(index, event)

    def _webhook_sent(self, index: int, event: Event) -> None:
        names, message_id = names_of(event), identity(event["id"])
        message = self.messages.get((names, message_id))
        if message is None:
            label = event.get("label") or message_id
            message = self.messages[names, message_id] = Sent(names, message_id, label, index)
            self.talk(names).messages.append(message)
        call = Call(message, index, event.get("text"), event.get("data"))
        message.calls.append(call)
        self.calls[event["call"]] = call

    def _webhook_arrived(self, index: int, event: Event) -> None:
        call = self.calls[event["call"]]
        call.arrived, call.function = index, event.get("function", "")
        if call.message.received is None:
            call.message.received = index

    def _webhook_answered(self, index: int, event: Event) -> None:
        call = self.calls[event["call"]]
        call.answered, call.status = index, event["status"]
        if call.accepted and call.message.accepted is None:
            call.message.accepted = index

    def _webhook_confirmed(self, index: int, event: Event) -> None:
        message = self.calls[event["call"]].message
        if 200 <= event["status"] < 300 and message.confirmed is None:
            message.confirmed = index

    def _webhook_failed(self, index: int, event: Event) -> None:
        self.calls[event["call"]].failed = index

    def _handover_sent(self, index: int, event: Event) -> None:
        names = names_of(event)
        raw = event["messages"]
        ids = tuple([identity(m["id"]) for m in raw])
        found = [self.messages.get((names, each)) for each in dict.fromkeys(ids)]
        members = tuple([m for m in found if m is not None])
        handover = HandOver(
            event["call"],
            names,
            event.get("function", ""),
            index,
            raw,
            ids,
            members,
            event.get("key"),
            event.get("fence"),
        )
        self.handovers[event["call"]] = handover
        self.talk(names).handovers.append(handover)
        for message in members:
            message.handovers.append(handover)

    def _handover_arrived(self, index: int, event: Event) -> None:
        self.handovers[event["call"]].arrived = index

    def _handover_idle(self, index: int, event: Event) -> None:
        self.handovers[event["call"]].worked = False

    def _handover_stale(self, index: int, event: Event) -> None:
        handover = self.handovers[event["call"]]
        handover.worked, handover.refused = False, True
        handover.refused_at = index

    def _handover_effect(self, index: int, event: Event) -> None:
        key = event.get("key")
        if key is not None and self.effect_of_key.setdefault(key, index) != index:
            return  # the first completed hand-over of a key is its effect; later ones have none, whatever they carry
        self.effects.append(index)
        handover = self.handovers.get(event["call"])
        if handover is not None:
            handover.effect = index
        names = names_of(event)
        for place, raw in enumerate(event["messages"]):
            message = self.find(names, raw["id"])
            if message is not None:
                message.effects.append((index, place))

    def _handover_ended(self, index: int, event: Event) -> None:
        handover = self.handovers[event["call"]]
        handover.ended = index
        if event.get("outcome") in ("joined", "repeated", "stale"):
            handover.worked = False

    def _handover_confirmed(self, index: int, event: Event) -> None:
        self.handovers[event["call"]].confirmed = index

    def _handover_failed(self, index: int, event: Event) -> None:
        handover = self.handovers[event["call"]]
        handover.failed = index
        if event.get("refused") and not handover.refused:
            handover.refused, handover.refused_at = True, index

    def _delivery_posted(self, index: int, event: Event) -> None:
        delivery = self.deliveries[event["call"]] = Delivery(event["function"], index)
        self.talk(names_of(event)).deliveries.append(delivery)

    def _delivery_arrived(self, index: int, event: Event) -> None:
        if (delivery := self.deliveries.get(event["call"])) is not None:
            delivery.arrivals.append((index, event["function"]))

    def _delivery_answered(self, index: int, event: Event) -> None:
        if (delivery := self.deliveries.get(event["call"])) is not None:
            delivery.answers.append((index, event["function"]))

    def _delivery_confirmed(self, index: int, event: Event) -> None:
        if (delivery := self.deliveries.get(event["call"])) is not None:
            delivery.confirmed, delivery.status = index, event["status"]

    def _dead_letter(self, index: int, event: Event) -> None:
        self.dead_letters.append(index)
        for raw in event["messages"]:
            message = self.find(names_of(event), raw["id"])
            if message is not None:
                message.dead_letters.append(index)

    def _status(self, index: int, event: Event) -> None:
        self.talk(names_of(event)).statuses.append(index)

    def _fault(self, index: int, event: Event) -> None:
        self.faults.append(index)

    def _healed(self, index: int, event: Event) -> None:
        self.healed = index

    def _function_started(self, index: int, event: Event) -> None:
        self.lives[event["function"]] = (event["t"], None)

    def _function_stopped(self, index: int, event: Event) -> None:
        began, _ = self.lives.get(event["function"], (0, None))
        self.lives[event["function"]] = (began, event["t"])


_READERS: dict[str, Callable[[Facts, int, Event], None]] = {
    "webhook.sent": Facts._webhook_sent,
    "webhook.arrived": Facts._webhook_arrived,
    "webhook.answered": Facts._webhook_answered,
    "webhook.confirmed": Facts._webhook_confirmed,
    "webhook.failed": Facts._webhook_failed,
    "handover.sent": Facts._handover_sent,
    "handover.arrived": Facts._handover_arrived,
    "handover.joined": Facts._handover_idle,
    "handover.repeated": Facts._handover_idle,
    "handover.stale": Facts._handover_stale,
    "handover.effect": Facts._handover_effect,
    "handover.ended": Facts._handover_ended,
    "handover.confirmed": Facts._handover_confirmed,
    "handover.failed": Facts._handover_failed,
    "delivery.posted": Facts._delivery_posted,
    "delivery.arrived": Facts._delivery_arrived,
    "delivery.answered": Facts._delivery_answered,
    "delivery.confirmed": Facts._delivery_confirmed,
    "dead_letter": Facts._dead_letter,
    "status": Facts._status,
    "fault": Facts._fault,
    "function.started": Facts._function_started,
    "function.stopped": Facts._function_stopped,
    "healed": Facts._healed,
}
