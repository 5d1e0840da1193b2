"""Events in words, as few as do: what a command read or wrote, who hands over what, and how much each matters."""

import json
import re
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

from reports.labels import Labels

Event = Mapping[str, Any]

_SHOWN = 40


class Weight(IntEnum):
    """How much a row matters; the highest are left out first."""

    MILESTONE = 1
    WRITE = 2
    READ = 3
    MINOR = 4


def command_words(event: Event, labels: Labels) -> tuple[str, str, Weight]:
    """A command, what it read (→) or wrote (←), and how much that matters."""
    args = [str(arg) for arg in event["args"]]
    name = args[0].upper()
    script = name in ("EVAL", "EVALSHA")
    if script:
        told = f"{name} {args[1]}" if len(args) > 1 else name
    else:
        told = f"{name} {labels.keys[args[1]]}" if len(args) > 1 else name
    reply = summary_of(str(event["reply"]), labels, _beside(event))
    if event.get("error"):
        return told, f"error: {event['error']}", Weight.READ
    if name == "PING" or not (event["writes"] or event["reads"]):
        return told, f"→ {reply}", Weight.MINOR
    if not event["writes"]:
        return told, f"→ {reply}", Weight.READ
    written = _written(event, name, args, reply, labels)
    return told, written if written.startswith("→") else f"← {written}", Weight.WRITE


def _beside(event: Event) -> str:
    return " ".join(map(str, (*event["args"], *event["reads"], *event["writes"])))


def _written(event: Event, name: str, args: list[str], reply: str, labels: Labels) -> str:
    if name in ("DEL", "UNLINK"):
        return "deleted"
    if name == "EXEC":
        return ", ".join(labels.keys[key] for key in event["writes"])
    if name in ("SETEX", "PSETEX") and len(args) > 3:
        unit = "s" if name == "SETEX" else "ms"
        return f"{summary_of(args[3], labels, _beside(event))} for {args[2]} {unit}"
    what = summary_of(" ".join(args[2:]), labels, _beside(event))
    if name in ("EVAL", "EVALSHA"):
        keys = ", ".join(labels.keys[key] for key in event["writes"])
        what = f"{what} in {keys}" if what.startswith("{") else keys
    return f"{what} → {reply}".lstrip() if reply not in ("OK", "1", what) else what


def printable(words: str) -> str:
    """Text that no terminal and no parser takes for anything else: without control characters and halves of pairs."""
    return "".join(c if c.isprintable() else " " if c.isspace() else f"\\x{ord(c):02x}" for c in words)


def summary_of(value: str, labels: Labels, beside: str = "") -> str:
    """A value in few words: the messages in it, by their labels, and whether it is marked processed; a status, a due time.

    `beside` is what else is known of it, which says whose message it is where an id alone does not.
    """
    found = labels.within(value, beside)
    if found:
        processed = ", processed" if re.search(r'"processed"\s*:\s*true', value) else ""
        return "{" + ", ".join(found) + processed + "}"
    if value.startswith("{"):
        try:
            plain = json.loads(value)
        except ValueError:
            plain = None
        if isinstance(plain, dict):
            if "dueAt" in plain:
                return f"due {str(plain['dueAt'])[11:23]}"
            if "status" in plain:
                return str(plain["status"])
    return value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "…"


def _key_and_fence(event: Event) -> str:
    return "".join(f" {name}" for name in ("key", "fence") if event.get(name) is not None)


SAID: Mapping[str, Callable[[Event, Labels], str]] = {
    "webhook.arrived": lambda e, labels: f"{labels.call(e)} arrives",
    "webhook.answered": lambda e, labels: f"{labels.call(e)} answered {e['status']}",
    "webhook.failed": lambda e, labels: f"{labels.call(e)}: no answer",
    "redis.failed": lambda e, labels: f"✗ {e['error'].replace('_', ' ')}",
    "delivery.posted": lambda e, labels: "posts the delivery",
    "delivery.arrived": lambda e, labels: "delivery arrives",
    "delivery.answered": lambda e, labels: f"delivery answered {e['status']}",
    "delivery.failed": lambda e, labels: "delivery: no answer",
    "handover.sent": lambda e, labels: f"hands over {labels.listed(e)}{_key_and_fence(e)}",
    "handover.effect": lambda e, labels: f"EFFECT {labels.listed(e)}",
    "handover.joined": lambda e, labels: "joins the work",
    "handover.repeated": lambda e, labels: "known key: no effect",
    "handover.stale": lambda e, labels: "old fence: refused",
    "handover.failed": lambda e, labels: f"✗ {e['error']}",
    "handover.confirmed": lambda e, labels: "hand-over confirmed",
    "dead_letter": lambda e, labels: f"dead letter: {labels.listed(e)}",
    "status": lambda e, labels: f"reports {e['status']}",
    "note": lambda e, labels: f"({e['note']})",
    "fault": lambda e, labels: f"⚡ {e['kind'].replace('_', ' ')} {e.get('how', '')}".strip(),
    "function.stopped": lambda e, labels: f"stopped: {e['reason']}",
    "function.started": lambda e, labels: "starts",
    "function.resumed": lambda e, labels: "goes on",
    "receive.failed": lambda e, labels: f"✗ receive: {e['error']}",
    "deliver.failed": lambda e, labels: f"✗ deliver: {e['error']}",
    "task.failed": lambda e, labels: f"✗ task: {e['error']}",
    "tick.failed": lambda e, labels: f"✗ tick: {e['error']}",
    "key.expired": lambda e, labels: f"{labels.keys[e['key']]} expires",
    "key.evicted": lambda e, labels: f"{labels.keys[e['key']]} evicted",
    "waiting": lambda e, labels: f"{labels.message(e, e)} unanswered",
}
#: What is worth a row only where it is one of the conflicting steps.
SAID_IF_MARKED: Mapping[str, Callable[[Event, Labels], str]] = {
    "webhook.sent": lambda e, labels: (
        f"{labels.call(e)}, {labels.again[e['call']]} again"
        if e["call"] in labels.again
        else f"{labels.call(e)} is sent"
    ),
    "webhook.confirmed": lambda e, labels: f"{labels.call(e)} is confirmed",
    "delivery.confirmed": lambda e, labels: f"delivery confirmed {e['status']}",
    "handover.arrived": lambda e, labels: f"begins {labels.listed(e)}",
    "handover.ended": lambda e, labels: f"ends: {e['outcome']}",
    "redis.sent": lambda e, labels: f"sends {' '.join(str(arg) for arg in e['args'])}",
    "redis.replied": lambda e, labels: "has the reply",
    "end": lambda e, labels: "the end of the run",
}
WEIGHTS: Mapping[str, Weight] = {
    "webhook.answered": Weight.WRITE,
    "delivery.posted": Weight.WRITE,
    "delivery.answered": Weight.READ,
    "delivery.arrived": Weight.READ,
    "handover.confirmed": Weight.READ,
    "key.expired": Weight.WRITE,
    "note": Weight.WRITE,
    "task.failed": Weight.WRITE,
    "function.started": Weight.WRITE,
}
