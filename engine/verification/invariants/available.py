"""`available`: without faults, and after healing, every webhook call is answered 2xx."""

from engine.verification.facts import Facts
from engine.verification.records import Call
from engine.verification.verdict import RULED_OUT, Finding, Violation

NAME = "available"


def judge(facts: Facts) -> Finding:
    """Judge all calls of a history without faults, else those sent after `healed`.

    A call that the provider gave up waiting for is not answered. One that is still open counts once the run is complete.
    """
    after = -1
    if facts.faults:
        if facts.healed is None:
            return Finding(applicable=False)
        after = facts.healed
        if facts.complete and not any(call.sent > after for call in facts.calls.values()):
            return RULED_OUT
    calls = [call for call in facts.calls.values() if call.sent > after]
    bad = [v for v in (_violation(facts, call) for call in calls) if v is not None]
    return Finding(bool(calls), tuple(bad))


def _violation(facts: Facts, call: Call) -> Violation | None:
    label = call.message.label
    told = f"the webhook call of {label}, sent at {facts.at(call.sent)}, was "
    if call.failed is not None:
        error = facts.history[call.failed].get("error", "")
        told += f"not answered: the provider saw {error} at {facts.at(call.failed)}"
        return Violation(NAME, told, (call.sent, call.failed), (label,))
    if call.answered is not None:
        if call.accepted:
            return None
        told += f"answered {call.status} at {facts.at(call.answered)}"
        return Violation(NAME, told, (call.sent, call.answered), (label,))
    if not facts.complete:
        return None
    return Violation(NAME, told + "never answered", (call.sent, len(facts.history) - 1), (label,))
