"""`isolation`: a message only ever appears under its own conversation, whatever characters the names hold."""

from collections.abc import Iterator

from engine.verification.facts import Facts
from engine.verification.history import Event
from engine.verification.invariants.payload import difference, sent_before
from engine.verification.records import Names, Sent, names_of
from engine.verification.verdict import Finding, Violation

NAME = "isolation"


def judge(facts: Facts) -> Finding:
    """A message in a hand-over, effect or dead letter of a conversation must have been sent under it.

    It is foreign if its id was sent under others alone, or if one id was sent under several and it carries the payload
    of another's. An id that was sent under none is the affair of `integrity`.
    """
    owners: dict[str, list[Sent]] = {}
    for message in facts.messages.values():
        owners.setdefault(message.id, []).append(message)
    violations = []
    seen: set[tuple[Names, str, str]] = set()
    for index, names, raw in _shown(facts):
        for owner in owners.get(raw["id"], ()) if type(raw["id"]) is str else ():
            if owner.conversation == names or owner.first_sent > index:
                continue
            own = sent_before(facts, names, raw["id"], index)
            if own is not None and (difference(own, raw) is None or difference(owner, raw) is not None):
                continue
            if (names, *owner.conversation) not in seen:
                seen.add((names, *owner.conversation))
                violations.append(_violation(facts, owner, names, index))
            break
    return Finding(bool(facts.handovers), tuple(violations))


def _shown(facts: Facts) -> Iterator[tuple[int, Names, Event]]:
    for handover in facts.handovers.values():
        for index in (handover.sent, handover.effect):
            if index is not None:
                for raw in facts.history[index]["messages"]:
                    yield index, names_of(facts.history[index]), raw
    for index in facts.dead_letters:
        for raw in facts.history[index]["messages"]:
            yield index, names_of(facts.history[index]), raw


def _violation(facts: Facts, owner: Sent, names: Names, index: int) -> Violation:
    told = (
        f"{owner.label} of the conversation {list(owner.conversation)} appeared at {facts.at(index)}"
        f" under the conversation {list(names)}"
    )
    return Violation(NAME, told, (owner.first_sent, index), (owner.label,))
