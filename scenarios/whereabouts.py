"""Where a message was in Redis: what explains a loss or a second answer of a design for which nobody has named a race.

It reads which keys held the message after each command, and says no more than that: who wrote it there, which command it was
gone after, who had read the key before or while it was there. What is stored so that no text can be recognised in it (packed,
encrypted) leaves the judge's own sentence as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from engine.verification import Violation
from engine.verification.facts import Facts
from engine.verification.records import HandOver, Sent, seconds
from scenarios.key_states import Signs, signs_of
from scenarios.told import Told

_KEY_SHOWN = 48
_EVENTS_MAX = 4
#: Commands that take away what they do not look at; scripts, transactions and pops see what they take.
_BLIND = frozenset(
    ["DEL", "UNLINK", "SET", "SETEX", "PSETEX", "HDEL", "HSET", "LTRIM", "LREM", "SREM", "ZREM", "XDEL", "XTRIM"]
)


@dataclass(frozen=True, slots=True)
class Stay:
    """A message was in Redis from one event on, in these keys one after the other, until another (None: the end)."""

    begun: int
    keys: tuple[str, ...]
    ended: int | None = None


def explained(violation: Violation, told: Told) -> Violation:
    """The violation with what became of its message in Redis, if no named race explains it and that is known."""
    if violation.cause is not None or violation.invariant not in _WORDS or len(violation.messages) != 1:
        return violation
    facts = Facts(told.run.history)
    message = next((m for m in facts.messages.values() if m.label == violation.messages[0]), None)
    found = None if message is None else _WORDS[violation.invariant](facts, message, told.keys)
    if found is None:
        return violation
    words, events = found
    # Where it was says more than that it was accepted, and that the run ended.
    least = (len(told.run.history) - 1, violation.events[0])
    others = [event for event in violation.events if event not in least and event not in events]
    conflicting = [*others, *events, violation.events[0], least[0]][
        : max(2, min(_EVENTS_MAX, len(events) + len(others)))
    ]
    return replace(
        violation, explanation=f"{violation.explanation}: {words}", events=tuple(sorted(dict.fromkeys(conflicting)))
    )


def stays(keys: Iterable[Mapping[str, Any]], label: str) -> list[Stay]:
    """When a message stood in Redis, and where; a move within one command is one stay."""
    found: list[Stay] = []
    held: dict[str, None] = {}
    for event, changes in groupby(keys, key=lambda change: change["event"]):
        was = bool(held)
        for change in changes:
            held.pop(change["key"], None)
            if label in change["messages"]:
                held[change["key"]] = None
        if held and not was:
            found.append(Stay(event, tuple(held)))
        elif held:
            found[-1] = replace(found[-1], keys=tuple(dict.fromkeys((*found[-1].keys, *held))))
        elif was:
            found[-1] = replace(found[-1], ended=event)
    return found


Found = tuple[str, tuple[int, ...]]


def _lost(facts: Facts, message: Sent, keys: Sequence[Mapping[str, Any]]) -> Found | None:
    """Where a lost message was last, and after which command no more."""
    there = stays(keys, message.label)
    if not there:
        others = any(change["messages"] for change in keys) and message.label in _signs(facts)
        return ("it never stood in Redis", ()) if others or not keys else None
    last = there[-1]
    began = f"it stood in {_places(last)} from {facts.at(last.begun)}"
    if last.ended is None:
        for index, event in enumerate(facts.history[last.begun :], last.begun):
            if event["event"] == "fault" and event["kind"] == "restart_data_lost":
                return f"{began} until Redis lost its data at {facts.at(index)}", (last.begun, index)
        left = set(facts.history[-1].get("keys", ())) & set(last.keys)
        return f"{began}, and {'stands there still' if left else 'stood there until its TTL ended'}", (last.begun,)
    words = f"{began} until {_step(facts, last.ended)}"
    end = facts.history[last.ended]
    # What it took away is what it had read before it handed over, if it did: a function does several things at a time.
    handed = [h.sent for h in facts.talk(message.conversation).handovers if h.function == end.get("function")]
    before = max((sent for sent in handed if sent < last.ended), default=last.ended)
    read = _read_by(facts, end.get("function"), last.keys, before)
    if read is None or str(end["args"][0]).upper() not in _BLIND:
        return words, (last.ended, last.begun)
    what = "it there" if read > last.begun else "that key"
    when = "" if read > last.begun else ", before it was there"
    words += f"; {facts.history[read]['function']} had read {what} at {facts.at(read)}{when}"
    return words, (last.ended, read, last.begun)


def _doubled(facts: Facts, message: Sent, keys: Sequence[Mapping[str, Any]]) -> Found | None:
    """Where each of the two hand-overs had the message from."""
    there = stays(keys, message.label)
    effects = list(dict.fromkeys(event for event, _ in message.effects))[:2]
    handovers = [h for effect in effects for h in message.handovers if h.effect == effect]
    reads = [_sources(facts, h, there) for h in handovers]
    if len(reads) != 2 or not all(reads):
        return None
    one, other = (each[0] for each in reads)
    if one == other:
        if len(reads[0]) == 1:
            return f"{_step(facts, one)} gave it out for both", (one, *effects)
        # Of several reads of one function nobody can say which was for what.
        stay = next(each for each in there if each.begun < one and (each.ended is None or one <= each.ended))
        until = "to the end" if stay.ended is None else f"until {_step(facts, stay.ended)}"
        return f"it stood in {_places(stay)} from {facts.at(stay.begun)} {until}", (stay.begun, *effects)
    words = f"it was given out by {_step(facts, one)} and by {_step(facts, other)}"
    between = next((stay.ended for stay in there if stay.ended is not None and one <= stay.ended), None)
    if between is None or between >= other:
        until = "" if between is None else f" until {_step(facts, between)}"
        return f"{words}, and stood in Redis{until}", (one, other, *effects)
    again = next((stay.begun for stay in there if between < stay.begun <= other), None)
    if again is None:
        return words, (one, other, *effects)
    return f"{words}: {_step(facts, again)} had put it back", (one, again, other, effects[1])


def _signs(facts: Facts) -> Signs:
    sent = [event for event in facts.history if event["event"] == "webhook.sent"]
    return signs_of((event["label"], event["id"], event["text"]) for event in sent)


_WORDS = {"no_loss": _lost, "no_duplicate": _doubled}


def _sources(facts: Facts, handover: HandOver, there: Sequence[Stay]) -> list[int]:
    """The commands by which the function that hands over saw the message, or took it; the last one first."""
    found = []
    for index in range(handover.sent - 1, -1, -1):
        event = facts.history[index]
        if event["event"] == "redis.executed" and event["function"] == handover.function:
            for stay in there:
                there_then = stay.begun < index and (stay.ended is None or index < stay.ended)
                read, moved = set(event["reads"]) & set(stay.keys), set(event["writes"]) & set(stay.keys)
                if (there_then and (read or len(moved) > 1)) or index == stay.ended:
                    found.append(index)
    return found


def _read_by(facts: Facts, function: str | None, keys: Sequence[str], before: int) -> int | None:
    """The last command by which a function read one of the keys before an event."""
    for index in range(before - 1, -1, -1):
        event = facts.history[index]
        if event["event"] == "redis.executed" and event["function"] == function and set(event["reads"]) & set(keys):
            return index
    return None


def _places(stay: Stay) -> str:
    return ", then in ".join(_short(key) for key in stay.keys[:3])


def _short(key: str) -> str:
    return key if len(key) <= _KEY_SHOWN else key[: _KEY_SHOWN - 1] + "…"


def _step(facts: Facts, index: int) -> str:
    """An event as a person names it: whose command on which key, and when."""
    event = facts.history[index]
    at = seconds(event["t"])
    if event["event"] != "redis.executed":
        what = {"key.expired": "its TTL ended", "key.evicted": "it was evicted"}.get(event["event"], event["event"])
        return f"{what} at {at}"
    name = str(event["args"][0]).upper()
    command = "script" if name in ("EVAL", "EVALSHA", "FCALL") else name
    return f"{event['function']}'s {command} at {at}"
