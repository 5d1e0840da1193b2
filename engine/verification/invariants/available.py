"""`available`: without faults, and after healing, every webhook call is answered 2xx."""

from engine.verification.facts import Facts
from engine.verification.records import Call
from engine.verification.verdict import RULED_OUT, Finding, Violation

NAME = "available"

#: How long a function's Redis client waits for a reply, in milliseconds; it does not try again by itself.
PATIENCE_MS = 5_000


def judge(facts: Facts) -> Finding:
    """Judge all calls of a history without faults, else those sent after `healed`.

    A call that the provider gave up waiting for is not answered. One that is still open counts once the run is complete.
    Where two hops may take longer than a client waits, a call during which its function's client gave a command up is not
    judged: whether to try again then is the design's affair, and none can be sure to get an answer.
    """
    after = -1
    if facts.faults:
        if facts.healed is None:
            return Finding(applicable=False)
        after = facts.healed
        if facts.complete and not any(call.sent > after for call in facts.calls.values()):
            return RULED_OUT
    timed_out = _timed_out(facts)
    calls = [call for call in facts.calls.values() if call.sent > after and not _met(call, timed_out)]
    bad = [v for v in (_violation(facts, call) for call in calls) if v is not None]
    return Finding(bool(calls), tuple(bad))


def _timed_out(facts: Facts) -> list[tuple[int, str]]:
    """Where which function's client gave up a command whose hops took too long, though no fault struck."""
    if 2 * facts.start.get("hop_ms", (0, 0))[1] < PATIENCE_MS:
        return []
    return [
        (index, event["function"])
        for index, event in enumerate(facts.history)
        if event["event"] == "redis.failed" and event["error"] == "given_up"
    ]


def _met(call: Call, timed_out: list[tuple[int, str]]) -> bool:
    if call.arrived is None:
        return False
    end = call.answered or call.failed
    return any(call.arrived < at and (end is None or at < end) for at, name in timed_out if name == call.function)


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
