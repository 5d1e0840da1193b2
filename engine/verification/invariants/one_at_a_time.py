"""`one_at_a_time`: hand-overs of one conversation with different keys, or without, never overlap."""

from engine.verification.facts import Facts
from engine.verification.records import HandOver, Talk, listed
from engine.verification.verdict import Finding, Violation

NAME = "one_at_a_time"


def judge(facts: Facts) -> Finding:
    """A hand-over is at work from its arrival at the processor to its end there, also when its caller has given up.

    One that joined, was a repeat or was refused for its fence does no work of its own. A batch is exempt once all its
    messages were dead-lettered: the strategy may go on although the processor may still be at it.
    """
    violations: list[Violation] = []
    for talk in facts.talks.values():
        violations += _judge_talk(facts, talk)
    return Finding(any(h.arrived is not None for h in facts.handovers.values()), tuple(violations))


def _judge_talk(facts: Facts, talk: Talk) -> list[Violation]:
    working = sorted((h.arrived, h.sent, h) for h in talk.handovers if h.arrived is not None and h.worked)
    violations = []
    at_work: list[HandOver] = []
    for arrived, _, handover in working:
        at_work = [h for h in at_work if h.ended is None or h.ended > arrived]
        for other in at_work:
            differ = handover.key is None or other.key is None or handover.key != other.key
            if differ and not _given_up(other, arrived) and not _given_up(handover, arrived):
                violations.append(_violation(facts, other, handover))
        at_work.append(handover)
    return violations


def _given_up(handover: HandOver, before: int) -> bool:
    return bool(handover.members) and all(m.dead_letters and m.dead_letters[0] < before for m in handover.members)


def _violation(facts: Facts, first: HandOver, second: HandOver) -> Violation:
    assert first.arrived is not None
    assert second.arrived is not None
    end = "its end" if first.ended is None else facts.at(first.ended)
    told = (
        f"the processor began {_shown(second)} at {facts.at(second.arrived)} while it was at {_shown(first)}"
        f" from {facts.at(first.arrived)} to {end}"
    )
    labels = dict.fromkeys(m.label for m in (*first.members, *second.members))
    events = (first.arrived, second.arrived, *(() if first.ended is None else (first.ended,)))
    return Violation(NAME, told, events, tuple(labels))


def _shown(handover: HandOver) -> str:
    return listed([m.label for m in handover.members]) if handover.members else f"hand-over {handover.call}"
