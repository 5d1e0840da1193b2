"""`batch_stable`: hand-overs with one key carry the same messages in the same order."""

from engine.verification.facts import Facts
from engine.verification.records import HandOver
from engine.verification.verdict import Finding, Violation

NAME = "batch_stable"


def judge(facts: Facts) -> Finding:
    """Compare each hand-over of a key, from its beginning, with the first one of that key. Without keys: nothing to say.

    What the messages hold is the affair of `integrity`; here it is which they are, and in what order.
    """
    first_of: dict[str, HandOver] = {}
    violations = []
    for handover in facts.handovers.values():
        if handover.key is None:
            continue
        first = first_of.setdefault(handover.key, handover)
        if handover.ids != first.ids or handover.conversation != first.conversation:
            told = (
                f"the key {handover.key!r} stood for {_shown(facts, first)} at {facts.at(first.sent)}"
                f" and for {_shown(facts, handover)} at {facts.at(handover.sent)}"
            )
            labels = tuple(dict.fromkeys(m.label for m in (*first.members, *handover.members)))
            violations.append(Violation(NAME, told, (first.sent, handover.sent), labels))
    return Finding(bool(first_of), tuple(violations))


def _shown(facts: Facts, handover: HandOver) -> str:
    found = [facts.find(handover.conversation, each) for each in handover.ids]
    return "[" + ", ".join(m.label if m else repr(i) for m, i in zip(found, handover.ids, strict=True)) + "]"
