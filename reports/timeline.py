"""A history as a timeline in text: a line an event, a column for each function, one for Redis and one for the processor."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Event = Mapping[str, Any]

#: About as many lines as a person reads in a minute.
LINES = 25
_WIDTH = {"function": 30, "redis": 34, "processor": 24}

# How much a line matters; the least are folded first where there are too many.
_MARKED, _MILESTONE, _WRITE, _READ, _MINOR = 0, 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Line:
    """One line: where it stands, and what it says in which column."""

    index: int
    t: int
    column: str
    text: str
    redis: str = ""
    weight: int = _MILESTONE


def timeline(
    history: Sequence[Event],
    *,
    events: Sequence[int] = (),
    explanation: str = "",
    exceptions: Sequence[str] | None = None,
    trace: str = "",
    lines: int = LINES,
) -> str:
    """The timeline of a history. `events` are the positions of the conflicting steps, marked with ►.

    `trace` is the file that replays it. At most about `lines` lines; what matters least is folded.
    """
    labels = {event["id"]: event.get("label", event["id"]) for event in history if event["event"] == "webhook.sent"}
    start = next((event["t"] for event in history if event["event"] == "webhook.sent"), 0)
    marked = set(events)
    shown = [line for index, event in enumerate(history) for line in _lines(index, event, history, labels)]
    kept = _fold(shown, marked, lines)
    functions = sorted(
        {line.column for line in kept if line.column.startswith("f")}, key=lambda name: (len(name), name)
    )
    columns = [*functions, "redis", "processor"]
    out = [_row("time", dict.fromkeys(columns, "") | {name: name for name in columns}, columns, " ")]
    previous = -1
    for line in kept:
        skipped = sum(previous < other.index < line.index for other in shown if other not in kept)
        if skipped:
            out.append(f"{'':11}… {skipped} more")
        previous = line.index
        cells = dict.fromkeys(columns, "")
        cells[line.column if line.column in cells else functions[0] if functions else "redis"] = line.text
        if line.redis:
            cells["redis"] = line.redis
        out.append(_row(f"{(line.t - start) / 1000:.3f}", cells, columns, "►" if line.index in marked else " "))
    if explanation:
        out.append(f"  → {explanation}")
    if exceptions is not None:
        out.append(f"  {in_order_except(exceptions)}")
    if trace:
        out.append(f"  replay: bufferproof replay {trace}")
    return "\n".join(out)


def in_order_except(exceptions: Sequence[str]) -> str:
    """The line that says how far from in-order a run is."""
    if not exceptions:
        return "in order everywhere: no fault, no delay, each step in its turn"
    return f"in order everywhere, except: {'; '.join(exceptions)}"


def _row(time: str, cells: Mapping[str, str], columns: Sequence[str], mark: str) -> str:
    parts = []
    for name in columns:
        width = _WIDTH.get(name, _WIDTH["function"])
        text = cells[name]
        parts.append((text if len(text) <= width else text[: width - 1] + "…").ljust(width))
    return f"{mark}{time:>8}  {' '.join(parts)}".rstrip()


def _fold(shown: list[Line], marked: set[int], lines: int) -> list[Line]:
    kept = list(shown)
    for weight in (_MINOR, _READ, _WRITE):
        if len(kept) <= lines:
            break
        kept = [line for line in kept if line.weight < weight or line.index in marked]
    if len(kept) > lines:
        around = sorted(marked) or [kept[-1].index]
        near = sorted(kept, key=lambda line: min(abs(line.index - each) for each in around))[:lines]
        kept = [line for line in kept if line in near]
    return kept


def _names(messages: Sequence[Event], labels: Mapping[str, str]) -> str:
    return ", ".join(labels.get(message["id"], str(message["id"])) for message in messages)


def _lines(index: int, event: Event, history: Sequence[Event], labels: Mapping[str, str]) -> Iterator[Line]:
    kind, t = event["event"], event["t"]
    who = str(event.get("function") or "")
    if kind == "redis.executed":
        text, redis, weight = _command(event, labels)
        yield Line(index, t, who, text, redis, weight)
    elif kind in _SAYS:
        said = _SAYS[kind](event, labels, history)
        if said:
            column = who if who else _COLUMN.get(kind, str(event.get("actor") or "redis"))
            yield Line(index, t, column, said, weight=_WEIGHTS.get(kind, _MILESTONE))


def _command(event: Event, labels: Mapping[str, str]) -> tuple[str, str, int]:
    args = [str(arg) for arg in event["args"]]
    name = args[0].upper()
    keys = [*event["writes"], *event["reads"]]
    told = (
        f"{name} {args[1]}"
        if name in ("EVAL", "EVALSHA")
        else f"{name} {short_key(args[1])}"
        if len(args) > 1
        else name
    )
    if event.get("error"):
        return told, f"error: {event['error']}", _READ
    if name == "PING" or not keys:
        return told, f"→ {event['reply']}", _MINOR
    if event["writes"]:
        what = summary_of(" ".join(args[2:]), labels) if name not in ("DEL", "UNLINK") else "deleted"
        changed = "" if name not in ("EVAL", "EVALSHA") else short_key(event["writes"][0])
        reply = summary_of(str(event["reply"]), labels)
        result = f" → {reply}" if reply not in ("OK", "1", what) else ""
        return told, f"← {changed} {what}{result}".replace("  ", " "), _WRITE
    return told, f"→ {summary_of(str(event['reply']), labels)}", _READ


def short_key(key: str) -> str:
    """A key without what all keys of the picture share: what it is, not whose."""
    if key.startswith("{"):
        return ":".join(key.split(":")[2:3]) or key
    return key.split(":")[0]


def summary_of(text: str, labels: Mapping[str, str]) -> str:
    """A value in few words: the messages in it, by their labels, and whether it is marked processed."""
    found = [label for message_id, label in labels.items() if message_id and f'"{message_id}"' in text]
    if found:
        processed = ", processed" if re.search(r'"processed"\s*:\s*true', text) else ""
        return "{" + ", ".join(found) + processed + "}"
    return text if len(text) <= 40 else text[:39] + "…"


def _label_of_call(event: Event, history: Sequence[Event]) -> str:
    for other in history:
        if other["event"] == "webhook.sent" and other["call"] == event["call"]:
            return str(other.get("label", other["id"]))
    return str(event["call"])


def _key_and_fence(event: Event) -> str:
    return "".join(f" {name}" for name in ("key", "fence") if event.get(name) is not None)


_SAYS: Mapping[str, Any] = {
    "webhook.arrived": lambda e, labels, h: f"{_label_of_call(e, h)} arrives",
    "webhook.answered": lambda e, labels, h: f"{_label_of_call(e, h)} answered {e['status']}",
    "webhook.failed": lambda e, labels, h: f"{_label_of_call(e, h)}: no answer",
    "redis.failed": lambda e, labels, h: f"✗ {e['error']}",
    "delivery.posted": lambda e, labels, h: "posts the delivery",
    "delivery.arrived": lambda e, labels, h: "delivery arrives",
    "delivery.answered": lambda e, labels, h: f"delivery answered {e['status']}",
    "delivery.failed": lambda e, labels, h: "delivery: no answer",
    "handover.sent": lambda e, labels, h: f"hands over {_names(e['messages'], labels)}{_key_and_fence(e)}",
    "handover.effect": lambda e, labels, h: f"EFFECT {_names(e['messages'], labels)}",
    "handover.joined": lambda e, labels, h: "joins the work",
    "handover.repeated": lambda e, labels, h: "known key: no effect",
    "handover.stale": lambda e, labels, h: "old fence: refused",
    "handover.failed": lambda e, labels, h: f"✗ {e['error']}",
    "handover.confirmed": lambda e, labels, h: "hand-over confirmed",
    "dead_letter": lambda e, labels, h: f"dead letter: {_names(e['messages'], labels)}",
    "status": lambda e, labels, h: f"reports {e['status']}",
    "note": lambda e, labels, h: f"({e['note']})",
    "fault": lambda e, labels, h: f"⚡ {e['kind']} {e.get('how', '')}".strip(),
    "function.stopped": lambda e, labels, h: f"stopped: {e['reason']}",
    "function.started": lambda e, labels, h: "starts",
    "function.resumed": lambda e, labels, h: "goes on",
    "receive.failed": lambda e, labels, h: f"✗ receive: {e['error']}",
    "deliver.failed": lambda e, labels, h: f"✗ deliver: {e['error']}",
    "task.failed": lambda e, labels, h: f"✗ task: {e['error']}",
    "tick.failed": lambda e, labels, h: f"✗ tick: {e['error']}",
    "key.expired": lambda e, labels, h: f"{short_key(e['key'])} expires",
    "key.evicted": lambda e, labels, h: f"{short_key(e['key'])} evicted",
    "waiting": lambda e, labels, h: f"{labels.get(e['id'], e['id'])} still waits",
}
_COLUMN = {
    "handover.effect": "processor",
    "handover.joined": "processor",
    "handover.repeated": "processor",
    "handover.stale": "processor",
    "key.expired": "redis",
    "key.evicted": "redis",
    "waiting": "processor",
}
_WEIGHTS = {
    "webhook.answered": _WRITE,
    "delivery.posted": _WRITE,
    "delivery.answered": _READ,
    "delivery.arrived": _READ,
    "handover.confirmed": _READ,
    "key.expired": _WRITE,
    "note": _WRITE,
    "task.failed": _WRITE,
}
