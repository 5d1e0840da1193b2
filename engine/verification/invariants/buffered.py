"""`buffered`: a batch waits for its window and holds what came within it."""

from bisect import bisect_right

from engine.verification.facts import Facts
from engine.verification.records import HandOver, Sent, Talk, listed
from engine.verification.verdict import RULED_OUT, Finding, Violation

NAME = "buffered"


def judge(facts: Facts) -> Finding:
    """Judge histories without faults, clock skew allowed.

    A batch is the first hand-over of a key, or any without one; t is when the first of its messages was received.
    It is not begun before t + delay, and every message received later than t and accepted before t + delay is in it,
    or was handed over before it: a slow add at the end of a window opens the next one, in which its neighbour, already
    handed over, has no place. Equal instants count as neither.
    """
    if any(facts.history[index]["kind"] != "clock_skew" for index in facts.faults):
        return RULED_OUT
    violations: list[Violation] = []
    for talk in facts.talks.values():
        violations += _judge_talk(facts, talk)
    return Finding(any(h.members for h in facts.handovers.values()), tuple(violations))


def _judge_talk(facts: Facts, talk: Talk) -> list[Violation]:
    arrived = sorted((facts.ms(m.received), m.received, m) for m in talk.messages if m.received is not None)
    times = [each[0] for each in arrived]
    violations = []
    keys: set[str] = set()
    gone: set[Sent] = set()
    for batch in talk.handovers:
        received = [m.received for m in batch.members if m.received is not None and m.received < batch.sent]
        if (batch.key is not None and batch.key in keys) or not received:
            continue
        if batch.key is not None:
            keys.add(batch.key)
        gone.update(batch.members)
        first = min(received)
        begins, due = facts.ms(first), facts.ms(first) + facts.delay_ms
        if facts.ms(batch.sent) < due:
            violations.append(_too_early(facts, batch, first))
        within = arrived[bisect_right(times, begins) :]
        for at, _, message in within:
            if at >= due:
                break
            if message.accepted is not None and facts.ms(message.accepted) < due and message not in gone:
                violations.append(_left_out(facts, batch, first, message))
    return violations


def _too_early(facts: Facts, batch: HandOver, first: int) -> Violation:
    labels = [m.label for m in batch.members]
    waited = (facts.ms(batch.sent) - facts.ms(first)) / 1000
    told = (
        f"{listed(labels)} {'was' if len(labels) == 1 else 'were'} handed over at {facts.at(batch.sent)}, only"
        f" {waited:.3f} s after the first was received at {facts.at(first)}: the window is"
        f" {facts.delay_ms / 1000:.3f} s"
    )
    return Violation(NAME, told, (first, batch.sent), tuple(labels))


def _left_out(facts: Facts, batch: HandOver, first: int, message: Sent) -> Violation:
    received, accepted = message.received, message.accepted
    assert received is not None
    assert accepted is not None
    told = (
        f"{message.label} was received at {facts.at(received)} and accepted at {facts.at(accepted)}, within the window"
        f" that began at {facts.at(first)}, and is not in its batch of {facts.at(batch.sent)}"
    )
    return Violation(NAME, told, (first, received, accepted, batch.sent), (message.label,))
