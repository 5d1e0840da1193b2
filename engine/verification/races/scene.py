"""What the races look at: the commands of a history by key and by function, on top of the facts."""

from collections.abc import Iterator

from engine.verification.facts import Facts
from engine.verification.history import Event, canonical
from engine.verification.records import HandOver, Names, Sent


class Scene:
    """Commands as the server executed them, found by key."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.history = facts.history
        self.commands = [i for i, e in enumerate(facts.history) if e["event"] == "redis.executed"]

    def at(self, index: int) -> str:
        """When an event happened."""
        return self.facts.at(index)

    def of_key(self, key: str, *, writes: bool | None = None) -> Iterator[int]:
        """Commands that touched a key; only writes, or only reads, if asked for."""
        for index in self.commands:
            event = self.history[index]
            wrote = key in event["writes"]
            if (wrote and writes is not False) or (not wrote and writes is not True and key in event["reads"]):
                yield index

    def name(self, index: int) -> str:
        """The command's name."""
        return str(self.history[index]["args"][0]).upper()

    def by(self, index: int) -> str:
        """The function whose command it was."""
        return str(self.history[index]["function"])

    def last_read(self, key: str, function: str, before: int) -> int | None:
        """A function's last reading command on a key before an event (a function may serve two calls at once)."""
        found = [
            i
            for i in self.of_key(key)
            if i < before and self.by(i) == function and self.name(i) in ("GET", "EVAL", "EVALSHA")
        ]
        return found[-1] if found else None

    def first_write(self, key: str, function: str, after: int) -> int | None:
        """A function's first write of a key after an event."""
        return next((i for i in self.of_key(key, writes=True) if i > after and self.by(i) == function), None)

    def appended(self, message: Sent) -> int | None:
        """Where a message was written to its conversation's buffer: a write by the function that took its call.

        A function may serve several calls at once. The first of its writes that shows the message's id is the one; where
        the id is not shown (arguments are cut), the last one before the answer.
        """
        key, shown = buffer_key(message.conversation), f'"messageId":{canonical(message.id)}'
        for call in message.calls:
            if call.arrived is None:
                continue
            end = call.answered if call.answered is not None else len(self.history)
            found = [
                i for i in self.of_key(key, writes=True) if call.arrived < i <= end and self.by(i) == call.function
            ]
            named = [i for i in found if any(shown in argument for argument in self.history[i]["args"])]
            if found:
                return named[0] if named else found[-1] if call.answered is not None else found[0]
        return None

    def batches(self, names: Names) -> list[HandOver]:
        """The hand-overs of a conversation."""
        return self.facts.talk(names).handovers

    def marking(self, batch: HandOver) -> range:
        """Where a batch's function could mark it: from the end of its hand-over to the answer to the delivery it began in.

        Empty where the hand-over did not end, or belongs to no delivery: a function that falls back marks nothing.
        """
        ended, deliveries = over(batch), self.facts.talk(batch.conversation).deliveries
        answers = (each.served_until(batch, len(self.history)) for each in deliveries)
        answered = next((index for index in answers if index is not None), 0)
        return range(0) if ended is None else range(ended + 1, answered)

    def mark(self, batch: HandOver) -> int | None:
        """A batch's function's first write of its buffer after the hand-over, for the same delivery: no add of its own."""
        where, writes = self.marking(batch), self.of_key(buffer_key(batch.conversation), writes=True)
        found = [i for i in writes if i in where and self.by(i) == batch.function]
        adds = {self.appended(message) for message in self.facts.talk(batch.conversation).messages} if found else set()
        return next((i for i in found if i not in adds), None)

    def events(self, *kinds: str) -> Iterator[tuple[int, Event]]:
        """Events of these kinds with their positions."""
        for index, event in enumerate(self.history):
            if event["event"] in kinds:
                yield index, event


def buffer_key(names: Names) -> str:
    """The plan's key of a conversation's buffer, as a history shows it."""
    return _shown_key("msg_buffer", names)


def lock_key(names: Names) -> str:
    """The plan's key of a conversation's lock, as a history shows it."""
    return _shown_key("lock", names)


def _shown_key(prefix: str, names: Names) -> str:
    # Names may hold lone surrogates: keys are bytes, and histories show what is no UTF-8 by its digits.
    return f"{prefix}:{names[0]}:{names[1]}".encode("utf-8", "surrogatepass").decode("utf-8", "backslashreplace")


def over(handover: HandOver) -> int | None:
    """Where its function learnt how a hand-over ended."""
    return handover.confirmed if handover.confirmed is not None else handover.failed
