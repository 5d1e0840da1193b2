"""`order`: what was accepted before another message was sent has its effect before that one's."""

from engine.verification.facts import Facts
from engine.verification.records import Sent, Talk
from engine.verification.verdict import Finding, Violation

NAME = "order"


def judge(facts: Facts) -> Finding:
    """Judge each conversation for itself.

    m1 precedes m2 if a function had answered m1 2xx before m2 was sent for the first time, whether the provider got that
    answer or not. Then m1's first effect must come before m2's, or m1 stand before m2 in one batch. Dead-lettered messages
    are exempt; one without an effect is the affair of `no_loss`.
    """
    applicable = False
    violations: list[Violation] = []
    for talk in facts.talks.values():
        applicable = applicable or _has_pair(talk)
        violations += _judge_talk(facts, talk)
    return Finding(applicable, tuple(violations))


def _has_pair(talk: Talk) -> bool:
    accepted = [m.accepted for m in talk.messages if m.accepted is not None]
    return bool(accepted) and talk.messages[-1].first_sent > min(accepted)


def _judge_talk(facts: Facts, talk: Talk) -> list[Violation]:
    """Go through the effects backwards, keeping the earliest accepted of those that come later."""
    ordered = sorted((m for m in talk.messages if m.effects and not m.dead_letters), key=lambda m: m.effects[0])
    violations = []
    earliest: Sent | None = None
    for message in reversed(ordered):
        if earliest is not None and earliest.accepted is not None and earliest.accepted < message.first_sent:
            violations.append(_violation(facts, earliest, message))
        if message.accepted is not None and (
            earliest is None or earliest.accepted is None or message.accepted < earliest.accepted
        ):
            earliest = message
    return violations[::-1]


def _violation(facts: Facts, first: Sent, second: Sent) -> Violation:
    accepted, late, early = first.accepted, first.effects[0][0], second.effects[0][0]
    assert accepted is not None
    told = (
        f"{first.label} was accepted at {facts.at(accepted)}, before {second.label} was sent at"
        f" {facts.at(second.first_sent)}, but "
    )
    if late == early:
        told += f"{second.label} stands before it in the batch of {facts.at(late)}"
    else:
        told += f"had its effect at {facts.at(late)}, after {second.label} at {facts.at(early)}"
    events = dict.fromkeys((accepted, second.first_sent, early, late))
    return Violation(NAME, told, tuple(events), (first.label, second.label))
