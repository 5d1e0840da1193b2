"""What a sequence diagram shows of a history: lanes, rows in the order of events, arrows between moments, marked steps.

Nothing here knows how it is drawn. A row is one event that is worth a line; an arrow goes from the moment at which
something set out to the moment at which it arrived, which need not be rows themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reports.diagram.words import SAID, SAID_IF_MARKED, WEIGHTS, Weight, command_words
from reports.labels import Labels

Event = Mapping[str, Any]

USERS, REDIS, PROCESSOR = "users", "redis", "processor"
#: Where an event stands that no function has part in.
_LANE = {
    "key.expired": REDIS,
    "key.evicted": REDIS,
    "handover.effect": PROCESSOR,
    "handover.joined": PROCESSOR,
    "handover.repeated": PROCESSOR,
    "handover.stale": PROCESSOR,
    "handover.arrived": PROCESSOR,
    "handover.ended": PROCESSOR,
    "webhook.sent": USERS,
    "webhook.confirmed": USERS,
    "end": USERS,
    "waiting": USERS,
    "webhook.failed": USERS,
}
#: Kinds whose rows a drawing gives a form of its own.
_KIND = {
    "handover.effect": "effect",
    "waiting": "trouble",
    "fault": "fault",
    "redis.failed": "trouble",
    "handover.failed": "trouble",
    "webhook.failed": "trouble",
    "function.stopped": "fault",
    "key.expired": "fault",
    "key.evicted": "fault",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One event in words. `at` is its position in the history, `result` what Redis read or wrote."""

    at: int
    t_ms: int
    lane: str
    words: str
    result: str = ""
    weight: Weight = Weight.MILESTONE
    kind: str = ""
    mark: int = 0
    """1, 2, … for a conflicting step, in their order; 0 for others."""
    skipped: int = 0
    """How many rows were left out before this one."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """Something on its way between two lanes, from one position in the history to another. `row` is the row it belongs to."""

    start: int
    end: int
    source: str
    target: str
    row: int
    reply: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Diagram:
    """All of it. `exceptions` None: nothing is known of how far from in-order it was."""

    lanes: tuple[str, ...]
    rows: tuple[Row, ...]
    arrows: tuple[Arrow, ...]
    skipped: int = 0
    explanation: str = ""
    exceptions: tuple[str, ...] | None = None
    replay: str = ""

    def seconds(self, t_ms: int) -> str:
        """A time as it is shown: seconds since the run began, as in the sentences of the judges."""
        return f"{t_ms / 1000:.3f}"

    def folded(self, rows_max: int) -> "Diagram":
        """The same with at most so many rows, if that leaves the marked ones: what matters least and is farthest goes first."""
        if len(self.rows) <= rows_max:
            return self
        marks = [place for place, row in enumerate(self.rows) if row.mark] or [len(self.rows) - 1]

        def rank(place: int) -> tuple[int, int, int]:
            row = self.rows[place]
            return (-1 if row.mark else int(row.weight), min(abs(place - mark) for mark in marks), place)

        kept = sorted(sorted(range(len(self.rows)), key=rank)[: max(rows_max, len(marks) if marks else 0)])
        rows, previous = [], -1
        for place in kept:
            rows.append(replace(self.rows[place], skipped=place - previous - 1))
            previous = place
        there = {row.at for row in rows}
        return replace(
            self,
            lanes=tuple(lane for lane in self.lanes if not _is_function(lane) or any(r.lane == lane for r in rows)),
            rows=tuple(rows),
            arrows=tuple(arrow for arrow in self.arrows if arrow.row in there),
            skipped=len(self.rows) - len(rows),
        )


def diagram_of(
    history: Sequence[Event],
    *,
    events: Sequence[int] = (),
    explanation: str = "",
    exceptions: Sequence[str] | None = None,
    replay: str = "",
) -> Diagram:
    """The diagram of a history. `events` are the positions of the conflicting steps."""
    labels = Labels(history)
    marks = {index: number for number, index in enumerate(sorted(set(events)), 1)}
    rows = tuple(
        replace(row, mark=marks.get(row.at, 0))
        for index, event in enumerate(history)
        if (row := _row(index, event, labels, marked=index in marks)) is not None
    )
    there = {row.at for row in rows}
    functions = sorted({row.lane for row in rows if _is_function(row.lane)}, key=lambda name: (len(name), name))
    return Diagram(
        lanes=(USERS, *functions, REDIS, PROCESSOR),
        rows=rows,
        arrows=tuple(arrow for arrow in _arrows(history, there) if arrow.row in there),
        explanation=explanation,
        exceptions=None if exceptions is None else tuple(exceptions),
        replay=replay,
    )


def in_order_except(exceptions: Sequence[str]) -> str:
    """The line that says how far from in-order a run is."""
    if not exceptions:
        return "in order everywhere: no delay, no fault but those of the scenario, each step in its turn"
    return f"in order everywhere, except: {'; '.join(exceptions)}"


def _is_function(lane: str) -> bool:
    return lane not in (USERS, REDIS, PROCESSOR)


def _row(index: int, event: Event, labels: Labels, *, marked: bool) -> Row | None:
    kind, t_ms = event["event"], event["t"]
    who = str(event.get("function") or "")
    if kind == "redis.executed":
        if not marked and (event["reply"] == "QUEUED" or str(event["args"][0]).upper() == "MULTI"):
            return None  # a transaction is one step: its EXEC
        words, result, weight = command_words(event, labels)
        return Row(index, t_ms, who, words, result, weight, "trouble" if event.get("error") else "command")
    say = SAID.get(kind) or (SAID_IF_MARKED.get(kind) if marked else None)
    if say is None:
        return Row(index, t_ms, who or USERS, kind, kind="other") if marked else None
    words = say(event, labels)
    actor = str(event.get("actor") or "")
    lane = who or _LANE.get(kind) or (actor if actor.startswith("f") else REDIS)
    if actor == "provider":
        lane = USERS
    elif actor == "processor":
        lane = PROCESSOR
    if kind == "handover.sent" and not event["messages"]:
        words = "hands over nothing"
    return Row(index, t_ms, lane, words, "", WEIGHTS.get(kind, Weight.MILESTONE), _KIND.get(kind, ""))


#: From the event that sends to the one that arrives, and which of both is the row: the arrival, or the sending.
_LEGS = {
    "webhook.arrived": ("webhook.sent", USERS, ""),
    "delivery.arrived": ("delivery.posted", "", ""),
    "handover.arrived": ("handover.sent", "", PROCESSOR),
    "webhook.confirmed": ("webhook.answered", "", USERS),
    "delivery.confirmed": ("delivery.answered", "", ""),
    "handover.confirmed": ("handover.ended", PROCESSOR, ""),
    "handover.failed": ("handover.ended", PROCESSOR, ""),
}


def _arrows(history: Sequence[Event], rows: set[int]) -> list[Arrow]:
    arrows: list[Arrow] = []
    sent: dict[Any, int] = {}
    executed: dict[Any, int] = {}
    last: dict[tuple[str, Any], int] = {}
    for index, event in enumerate(history):
        kind = event["event"]
        if kind == "redis.sent":
            sent[event["command"]] = index
        elif kind == "redis.executed":
            executed[event["command"]] = index
            if event["command"] in sent:
                arrows.append(Arrow(sent[event["command"]], index, event["function"], REDIS, index))
        elif kind == "redis.replied" and (at := executed.get(event["command"])) is not None:
            arrows.append(Arrow(at, index, REDIS, event["function"], at, reply=True))
        elif kind == "redis.failed":
            began = executed.get(event["command"], sent.get(event["command"]))
            if began is not None:
                lost = event["command"] not in executed
                source, target = (event["function"], REDIS) if lost else (REDIS, event["function"])
                arrows.append(Arrow(began, index, source, target, index if lost else began, reply=not lost, lost=True))
        elif kind in _LEGS:
            first, source, target = _LEGS[kind]
            began = last.get((first, event["call"]))
            if began is not None:
                source = source or str(history[began].get("function", ""))
                target = target or str(event.get("function", ""))
                row = index if index in rows and kind.endswith("arrived") else began if began in rows else index
                if source != target and row in rows:
                    arrows.append(
                        Arrow(began, index, source, target, row, reply=kind.endswith(("confirmed", "failed")))
                    )
        if "call" in event:
            last[kind, event["call"]] = index
    return arrows
