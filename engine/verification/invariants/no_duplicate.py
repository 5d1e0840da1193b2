"""`no_duplicate`: no message has two effects."""

from engine.verification.facts import Facts
from engine.verification.verdict import Finding, Violation

NAME = "no_duplicate"


def judge(facts: Facts) -> Finding:
    """Count a message's effects; standing twice in one batch counts as two: the customer is answered to it twice.

    Later hand-overs of a key that has had its effect are none, whatever they carry.
    """
    violations = []
    for message in facts.messages.values():
        if len(message.effects) > 1:
            first, second = message.effects[0][0], message.effects[1][0]
            if first == second:
                told = f"{message.label} stands twice in the batch that had its effect at {facts.at(first)}"
            else:
                told = f"{message.label} had an effect at {facts.at(first)} and again at {facts.at(second)}"
            events = (first,) if first == second else (first, second)
            violations.append(Violation(NAME, told, (message.first_sent, *events), (message.label,)))
    return Finding(bool(facts.effects), tuple(violations))
