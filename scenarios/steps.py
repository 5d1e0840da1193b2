"""Steps in words: whose command, call or answer a step of the simulation is, from its name and the history around it."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from reports.labels import Labels

Event = dict[str, Any]

_COMMAND = re.compile(r"(f\d+) ([A-Z]+)(?: (.*))?", re.DOTALL)
_ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")

#: Which side of a command an event is the end of.
_SIDES = {"redis.executed": "request", "redis.replied": "reply", "redis.failed": "reply"}
#: The events with which a side of a call ends.
_ENDS = {
    "request": ("webhook.arrived", "delivery.arrived", "handover.arrived"),
    "reply": ("webhook.confirmed", "delivery.confirmed", "handover.confirmed", "handover.failed", "delivery.failed"),
    "work": ("handover.ended",),
}


@dataclass(frozen=True)
class NamedStep:
    """A step in words. `command` is the number of the Redis command it carries, `call` the HTTP call, if it is of one."""

    subject: str
    """What is on its way or at work: "the reply to m1's GET of msg_buffer"."""
    verb: str
    whole: str = ""
    """The request: "m1's GET of msg_buffer"."""
    command: int | None = None
    call: str | None = None
    side: str = ""

    @property
    def happens(self) -> str:
        """A clause: "m1's GET of msg_buffer reaches Redis"."""
        return f"{self.subject} {self.verb}"

    @property
    def reply_of(self) -> str:
        """The answer to it."""
        return f"the reply to {self.whole}"


class Steps:
    """Finds the words for steps of one history."""

    def __init__(self, history: Sequence[Event]) -> None:
        self._history = history
        self._messages = Labels(history)
        self.keys = self._messages.keys
        self._sent = {e["command"]: i for i, e in enumerate(history) if e["event"] == "redis.sent"}

    def named(self, key: str, index: int, *, sent_now: bool = False, held: bool = False) -> NamedStep:
        """The words for a step (its name and number), which happened or was asked about when there were `index` events.

        `sent_now`: it was asked about as it set out, so it is the last of its kind before; else it is still on its way.
        `held`: it is one that happens later than now.
        """
        name = key.rpartition("#")[0]
        base, _, side = name.rpartition(" ")
        if base.startswith("provider ") and side in ("request", "reply"):
            return self._webhook(base.removeprefix("provider "), side)
        if name.startswith("provider sends "):
            return NamedStep("the provider", f"sends {name.removeprefix('provider sends ')}")
        if name.startswith("processor "):
            call = name.removeprefix("processor ")
            return NamedStep(f"the processor's work on {self.batch_of(call)}", "ends", call=call, side="work")
        if name.startswith("timer "):
            return NamedStep(f"a timer of {name.removeprefix('timer ')}", "fires")
        if name.startswith("pause of "):
            return NamedStep(f"the pause of {name.removeprefix('pause of ')}", "ends")
        for kind in ("delivery", "handover"):
            if base.endswith(f" {kind}") and side in ("request", "reply"):
                return self._call(base.partition(" ")[0], kind, side, index)
        found = _COMMAND.fullmatch(base) if side in ("request", "reply", "breaks", "next") else None
        if found is not None:
            return self._command(found[1], found[2], found[3] or "", side, index, sent_now=sent_now, held=held)
        return NamedStep(name, "happens", whole=name)

    def moment_of(self, step: NamedStep) -> int | None:
        """When the step happened, in milliseconds since the run began; None if it did not, or has left no event."""
        if step.command is not None:
            return self._moments.get((step.command, step.side))
        ends = _ENDS.get(step.side, ()) if step.call is not None else ()
        for event in self._history:
            if event["event"] in ends and event.get("call") == step.call:
                return int(event["t"])
        return None

    def batch_of(self, call: str) -> str:
        """A hand-over by the messages that it carries."""
        for event in self._history:
            if event["event"] == "handover.sent" and event["call"] == call:
                labels = [self._messages.message(event, message) for message in event["messages"]]
                return _listed(labels) or "an empty batch"
        return "a batch"

    def _webhook(self, label: str, side: str) -> NamedStep:
        call = next((call for call, each in self._messages.of_call.items() if each == label), None)
        if side == "request":
            return NamedStep(f"{label}'s request", "arrives", whole=f"{label}'s request", call=call, side=side)
        return NamedStep(f"{label}'s reply", "arrives", whole=f"{label}'s request", call=call, side=side)

    def _call(self, who: str, kind: str, side: str, index: int) -> NamedStep:
        sent = "delivery.posted" if kind == "delivery" else "handover.sent"
        event = next(
            (e for e in reversed(self._history[:index]) if e["event"] == sent and e["function"] == who), None
        ) or next((e for e in self._history[index:] if e["event"] == sent and e["function"] == who), None)
        call = str(event["call"]) if event is not None else None
        whole = f"{who}'s delivery call" if kind == "delivery" else f"the hand-over of {self.batch_of(call or '')}"
        if side == "request":
            return NamedStep(whole, "arrives", whole=whole, call=call, side=side)
        return NamedStep(f"the reply to {whole}", "arrives", whole=whole, call=call, side=side)

    # -- commands ----------------------------------------------------------------------------------------------------

    def _command(
        self, who: str, name: str, key: str, side: str, index: int, *, sent_now: bool, held: bool
    ) -> NamedStep:
        number = self._which(who, name, key, side, index, sent_now=sent_now, held=held)
        whole = self._shown(who, name, key, number)
        if side == "request":
            return NamedStep(whole, "reaches Redis", whole=whole, command=number, side=side)
        if side == "next":
            return NamedStep(f"the next command after {whole}", "reaches Redis", whole=whole, command=number, side=side)
        if side == "breaks":
            return NamedStep(f"the error of {whole}", "arrives", whole=whole, command=number, side="reply")
        return NamedStep(f"the reply to {whole}", "arrives", whole=whole, command=number, side=side)

    def _which(self, who: str, name: str, key: str, side: str, index: int, *, sent_now: bool, held: bool) -> int | None:
        """The number of the command: the last one of this kind that is on this leg of its way at that point."""
        mine = [
            number
            for number, at in self._sent.items()
            if at < index and self._history[at]["function"] == who and self._matches(self._history[at], name, key)
        ]
        done = {e["command"] for e in self._history[:index] if e["event"] == "redis.executed"}
        over = {e["command"] for e in self._history[:index] if e["event"] in ("redis.replied", "redis.failed")}
        if side == "request" and not sent_now:
            mine = [number for number in mine if number not in done] or mine
        elif side == "reply":
            mine = [number for number in mine if number in done and number not in over] or mine
        if held and index:
            now = self._history[index - 1]["t"]
            moments = {number: self.moment_of(NamedStep("", "", command=number, side=side)) for number in mine}
            mine = [number for number, moment in moments.items() if moment is not None and moment > now] or mine
        return mine[-1] if mine else None

    def _matches(self, event: Event, name: str, key: str) -> bool:
        args = event["args"]
        if args[0].upper() != name:
            return False
        return name in ("EVAL", "EVALSHA", "MULTI") or (len(args) < 2 and not key) or key in (args[1:2] or [""])

    def _shown(self, who: str, name: str, key: str, number: int | None) -> str:
        owner = self._served(self._sent[number]) if number is not None else None
        same = [
            other
            for other, at in self._sent.items()
            if number is not None
            and self._history[at]["function"] == who
            and self._matches(self._history[at], name, key)
            and self._served(at) == owner
        ]
        place = same.index(number) + 1 if number in same and len(same) > 1 else 0
        ordinal = f"{_nth(place)} " if place else ""
        return f"{owner or who}'s {ordinal}{self._said(name, key, number)}"

    def _said(self, name: str, key: str, number: int | None) -> str:
        if name in ("EVAL", "EVALSHA") and number is not None:
            script = next(
                (
                    e["args"][1]
                    for e in self._history
                    if e["event"] == "redis.executed" and e["command"] == number and not e.get("error")
                ),
                None,
            )
            return f"script {script}" if script else name
        if name == "MULTI":
            return "transaction"
        return f"{name} of {self.keys[key]}" if key else name

    def _served(self, index: int) -> str | None:
        """The message whose webhook call, or the delivery, that a function was at work on alone when it sent a command."""
        return self._owners[index]

    @cached_property
    def _owners(self) -> dict[int, str | None]:
        """By the index of each command that was sent. All at once: a run may have a hundred thousand of them."""
        open_calls: defaultdict[str, dict[str, str]] = defaultdict(dict)
        owners: dict[int, str | None] = {}
        for index, event in enumerate(self._history):
            kind, calls = event["event"], open_calls[str(event.get("function"))]
            if kind == "redis.sent":
                owners[index] = next(iter(calls.values())) if len(calls) == 1 else None
            elif kind == "webhook.arrived":
                calls[event["call"]] = self._messages.of_call.get(event["call"], "a message")
            elif kind == "delivery.arrived":
                calls[event["call"]] = "the delivery"
            elif kind in ("webhook.answered", "delivery.answered"):
                calls.pop(event["call"], None)
        return owners

    @cached_property
    def _moments(self) -> dict[tuple[int, str], int]:
        """When each command reached Redis, and when its reply or its error arrived."""
        moments: dict[tuple[int, str], int] = {}
        for event in self._history:
            side = _SIDES.get(event["event"])
            if side is not None:
                moments.setdefault((event["command"], side), int(event["t"]))
        return moments


def _nth(place: int) -> str:
    """`first`, … `ninth`, `10th`, `21st`."""
    if place < len(_ORDINALS):
        return _ORDINALS[place]
    ending = "th" if place // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def _listed(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}" if labels else ""
