"""`no_loss`: every accepted message has had an effect, or is rightly dead-lettered. A dropped blank text is a loss."""

from engine.verification.facts import Facts
from engine.verification.records import HandOver, Sent, listed
from engine.verification.verdict import Finding, Violation

NAME = "no_loss"


def judge(facts: Facts) -> Finding:
    """Judge a run at its end: before that, what has had no effect may still have it.

    Given up sooner than after `attempts` unconfirmed hand-overs counts as lost, unless it had its effect all the same.
    """
    applicable = any(m.accepted is not None for m in facts.messages.values())
    if not facts.complete:
        return Finding(applicable)
    return Finding(applicable, tuple([_violation(facts, message) for message in facts.lost]))


def _violation(facts: Facts, message: Sent) -> Violation:
    accepted = message.accepted
    assert accepted is not None
    told = f"{message.label} was accepted at {facts.at(accepted)}"
    events = [accepted]
    if message.dead_letters:
        early = message.dead_letters[0]
        begun = facts.unconfirmed(message, early)
        told += f" and dead-lettered at {facts.at(early)} after {begun} of {facts.attempts} unconfirmed hand-overs: too early"
        events.append(early)
    elif message.handovers:
        last = message.handovers[-1]
        told += f" and last handed over at {facts.at(last.sent)}, without an effect"
        events.append(last.sent)
        done = _had_its_effect(facts, last)
        if done is not None and done.effect is not None:
            labels = [member.label for member in done.members]
            told += f": its key had had its effect at {facts.at(done.effect)}, with {listed(labels)}"
            events.append(done.effect)
        elif last.failed is not None:
            told += f": that hand-over failed at {facts.at(last.failed)}"
            events.append(last.failed)
    else:
        told += " and never handed over"
        if (elsewhere := facts.handed_over_elsewhere(message)) is not None:
            told += f" in its conversation: it was under {list(elsewhere.conversation)}, at {facts.at(elsewhere.sent)}"
            events.append(elsewhere.sent)
    return Violation(NAME, told, (*events, len(facts.history) - 1), (message.label,))


def _had_its_effect(facts: Facts, handover: HandOver) -> HandOver | None:
    """The hand-over whose key this one has once more, if it was answered as known and so had no effect."""
    if handover.worked or handover.key is None:
        return None
    same = [h for h in facts.handovers.values() if h.key == handover.key and h is not handover and h.members]
    return next((h for h in same if h.effect is not None and h.effect < handover.sent), None)
