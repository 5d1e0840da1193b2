"""`integrity`: message id, text and data handed over equal those received, as JSON values."""

from engine.verification.facts import Facts
from engine.verification.history import Event, canonical
from engine.verification.invariants.payload import carried, difference, sent_before
from engine.verification.records import Sent
from engine.verification.verdict import Finding, Violation

NAME = "integrity"
_SHOWN_CHARS = 60


def judge(facts: Facts) -> Finding:
    """Compare with the first payload, types included: empty lists, big integers and Unicode must come through.

    Where sendings with different payloads overlapped, any of them may be the first. A message of another conversation
    is the affair of `isolation`, its payload here too if the id is known in its own.
    """
    everywhere = {message.id for message in facts.messages.values()}
    violations = []
    told_of: set[int] = set()
    for index, names, raw in carried(facts):
        message = sent_before(facts, names, raw["id"], index)
        if message is None:
            if type(raw["id"]) is not str or raw["id"] not in everywhere:
                told = f"a message of the id {canonical(raw['id'])} was handed over at {facts.at(index)} and never sent"
                violations.append(Violation(NAME, told, (index,)))
            continue
        field = difference(message, raw)
        if field is not None and message.first_sent not in told_of:
            told_of.add(message.first_sent)
            violations.append(_violation(facts, message, raw, field, index))
    return Finding(any(h.arrived is not None for h in facts.handovers.values()), tuple(violations))


def _violation(facts: Facts, message: Sent, raw: Event, field: str, index: int) -> Violation:
    sent = message.payloads()[0]
    was = _short(sent.text if field == "text" else sent.data)
    told = (
        f"the {field} of {message.label} was received as {was} and handed over at {facts.at(index)}"
        f" as {_short(raw.get(field))}"
    )
    again = next((c for c in message.calls if c is not sent and getattr(c, field, None) == raw.get(field)), None)
    if again is not None:
        told += f", with which it was sent again at {facts.at(again.sent)}: the first counts"
    return Violation(NAME, told, (sent.sent, index), (message.label,))


def _short(value: object) -> str:
    shown = canonical(value)
    return shown if len(shown) <= _SHOWN_CHARS else f"{shown[: _SHOWN_CHARS - 1]}…"
