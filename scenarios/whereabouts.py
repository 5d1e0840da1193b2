"""Where a message was in Redis: what explains a loss or a second answer of a design for which nobody has named a race.

It reads which keys held the message after each command, and claims no more than follows from that: what wrote it there, what it
was gone after, and which command gave it to a function that handed it over. The last is said only where a single command of that
function saw exactly the messages of that hand-over: a function does several things at a time, and a history does not say
which command was for what. A message whose text cannot be recognised (packed, encrypted, the same as another's) keeps the judge's
own sentence.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from engine.verification import Violation
from engine.verification.facts import Facts
from engine.verification.records import HandOver, Sent, seconds
from scenarios.key_states import signs_of
from scenarios.told import Told

_KEY_SHOWN = 48
_ERROR_SHOWN = 240
_EVENTS_MAX = 4
_ID_SHORTEST = 3
_PHONE_SHORTEST = 5
#: Replies that show nothing of what a key holds: counts, states, and lists of them.
_EMPTY_REPLY = re.compile(r"[\[\], ]*(?:(?:-?\d+|OK|nil|QUEUED)[\[\], ]*)*")

Changes = Sequence[Mapping[str, Any]]
Found = tuple[str, tuple[int, ...]]
"""Words, and the events that they speak of, the most telling first."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A message was in Redis from one event on, in these keys one after the other, until another (None: the end)."""

    begun: int
    keys: tuple[str, ...]
    ended: int | None = None
    moves: tuple[int, ...] = ()


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
    least = (violation.events[0], len(told.run.history) - 1)
    others = [event for event in violation.events if event not in least and event not in events]
    conflicting = [*others, *events][:_EVENTS_MAX] if len(events) < _EVENTS_MAX else list(events)
    conflicting += least[: max(0, 2 - len(conflicting))]
    return replace(
        violation, explanation=f"{violation.explanation}: {words}", events=tuple(sorted(dict.fromkeys(conflicting)))
    )


def _never_there(facts: Facts, message: Sent, keys: Changes) -> Found:
    """What was never stored may have left a marker, by which it is taken for a repeat."""
    words, sign = "it never stood in Redis", re.compile(rf"(?<!\w){re.escape(message.id)}(?!\w)")
    shared = any(m.id == message.id and m is not message for m in facts.messages.values())
    if len(message.id) < _ID_SHORTEST or message.id.isdigit() or shared or message.received is None:
        return words, ()  # it would be found where it is not meant
    for change in keys:
        after = change["event"] > message.received
        if after and change["value"] is not None and sign.search(f"{change['key']} {change['value']}"):
            place = _places(Stay(change["event"], (change["key"],)))
            return f"{words}; its id did, in {place} from {facts.at(change['event'])} on", (change["event"],)
    return words, ()


def stays(keys: Iterable[Mapping[str, Any]], label: str) -> list[Stay]:
    """When a message stood in Redis, and where; a move within one command is one stay."""
    found: list[Stay] = []
    held: dict[str, None] = {}
    for event, changes in groupby(keys, key=lambda change: change["event"]):
        before = dict(held)
        for change in changes:
            held.pop(change["key"], None)
            if label in change["messages"]:
                held[change["key"]] = None
        if held and not before:
            found.append(Stay(event, tuple(held)))
        elif held.keys() - before.keys():
            last = found[-1]
            found[-1] = replace(last, keys=tuple(dict.fromkeys((*last.keys, *held))), moves=(*last.moves, event))
        elif before and not held:
            found[-1] = replace(found[-1], ended=event)
    return found


def _lost(facts: Facts, message: Sent, keys: Changes) -> Found | None:
    """Where a lost message was last, and after which command no more."""
    there = stays(keys, message.label)
    if not there:
        recognised = any(change["messages"] for change in keys) and not _may_have_been_sent(facts, message)
        return _never_there(facts, message, keys) if recognised or not keys else None
    last = there[-1]
    if message.received is None or there[0].begun < message.received:
        return None  # something else is taken for it
    began = f"it stood in {_places(last)} from {facts.at(last.begun)}"
    if last.ended is None:
        for index, event in enumerate(facts.history[last.begun :], last.begun):
            if event["event"] == "fault" and event["kind"] == "restart_data_lost":
                return f"{began} until Redis lost its data at {facts.at(index)}", (last.begun, index)
        left = set(facts.history[-1].get("keys", ())) & set(last.keys)
        words = f"{began}, and {'stands there still' if left else 'stood there until its TTL ended'}"
        words, events = _with_errors(facts, message, words, last.begun)
        if left and not events:
            more, events = _forgotten(facts, message, keys)
            words += more
        return words, (last.begun, *events)
    words = f"{began} until {_step(facts, last.ended)}"
    end = facts.history[last.ended]
    if end["event"] != "redis.executed" or not _EMPTY_REPLY.fullmatch(str(end["reply"])):
        return words, (last.ended, last.begun)  # a TTL, or a script or a pop that saw what it took
    of_function = [h for h in facts.talk(message.conversation).handovers if h.function == end["function"]]
    reads = [
        (read, h)
        for h in of_function
        if (read := _source(facts, h, keys)) is not None
        and read < last.ended
        and _touched(facts, read).intersection(last.keys)
    ]
    read, handover = max(reads, key=lambda each: each[0], default=(last.ended, None))
    if handover is None or (message not in handover.members and read > last.begun):
        return words, (last.ended, last.begun)
    had = f"{end['function']} had read"
    if message in handover.members:
        return f"{words}; {had} it there at {facts.at(read)}", (last.ended, read, last.begun)
    return f"{words}; {had} that key at {facts.at(read)}, before it was there", (last.ended, read, last.begun)


def _with_errors(facts: Facts, message: Sent, words: str, since: int) -> Found:
    """Why nobody handed it over, where what would have done it raised: a script that the server refuses, say."""
    failed = [
        index
        for index in range(since, len(facts.history))
        if facts.history[index]["event"] in ("deliver.failed", "tick.failed", "task.failed")
    ]
    if message.handovers or not failed:
        return words, ()
    first = facts.history[failed[0]]
    what = {"deliver.failed": "delivery", "tick.failed": "tick"}.get(first["event"], "task of its own")
    error = str(first["error"])
    told = error if len(error) <= _ERROR_SHOWN else error[: _ERROR_SHOWN - 1] + "…"
    again = f" (the first of {len(failed)} errors)" if len(failed) > 1 else ""
    return f"{words}; {first['function']}'s {what} raised at {facts.at(failed[0])}{again}: {told}", (failed[0],)


def _forgotten(facts: Facts, message: Sent, keys: Changes) -> Found:
    """Which command took its conversation out of the last key that named it besides its own, where none does at the end."""
    phone = message.conversation[1]
    if len(phone) < _PHONE_SHORTEST or sum(phone in part for talk in facts.talks for part in talk) > 1:
        return "", ()
    own = {change["key"] for change in keys if change["messages"] or phone in change["key"]}
    named: set[str] = set()
    last: tuple[int, str] | None = None
    for change in keys:
        key, value = change["key"], change["value"] or ""
        if key in own:
            continue
        if "…" in value:
            return "", ()  # not all of it is known
        if phone in value:
            named.add(key)
        elif key in named:
            named.remove(key)
            last = change["event"], key
    if named or last is None:
        return "", ()
    event, key = last
    if facts.history[event]["event"] != "redis.executed":
        return (
            f"; {_short(key)}, the last key besides its own that named its conversation, was gone at {facts.at(event)}",
            (event,),
        )
    return (
        f"; {_step(facts, event)} took its conversation out of {_short(key)}, the last key besides its own that named it",
        (event,),
    )


def _doubled(facts: Facts, message: Sent, keys: Changes) -> Found | None:
    """Where each of the two hand-overs had the message from."""
    there = stays(keys, message.label)
    effects = list(dict.fromkeys(event for event, _ in message.effects))[:2]
    handovers = [h for effect in effects for h in message.handovers if h.effect == effect]
    if len(handovers) != 2 or not there or message.received is None or there[0].begun < message.received:
        return None
    sources = [_sources(facts, handover, keys) for handover in handovers]
    reads = sorted({read for found in sources for read in found})
    # Two reads, or one for each: which of two was for which hand-over changes nothing.
    if not all(sources) or len(reads) > len(handovers):
        stay = max(
            (each for each in there if each.begun < handovers[0].sent), key=lambda each: each.begun, default=None
        )
        if stay is None:
            return None
        until = "to the end" if stay.ended is None else f"until {_step(facts, stay.ended)}"
        return f"it stood in {_places(stay)} from {facts.at(stay.begun)} {until}", (stay.begun, *effects)
    one, other = reads[0], reads[-1]
    if one == other:
        return f"{_step(facts, one)} gave it out for both", (one, *effects)
    words = f"it was given out by {_step(facts, one)} and by {_step(facts, other)}"
    again = [event for stay in there for event in (stay.begun, *stay.moves) if one < event < other]
    if again:
        return f"{words}: {_step(facts, again[-1])} had put it back", (one, again[-1], other, effects[1])
    end = next((stay.ended for stay in there if stay.ended is not None and stay.ended > other), None)
    return words + ("" if end is None else f", and was gone after {_step(facts, end)}"), (one, other, *effects)


_WORDS = {"no_loss": _lost, "no_duplicate": _doubled}


def _source(facts: Facts, handover: HandOver, keys: Changes) -> int | None:
    """The one command by which its function saw exactly the messages that it hands over; None if it is not the only one."""
    found = _sources(facts, handover, keys)
    return found[0] if len(found) == 1 else None


def _sources(facts: Facts, handover: HandOver, keys: Changes) -> list[int]:
    """The commands before a hand-over by which its function saw exactly its messages."""
    labels = {member.label for member in handover.members}
    return [
        index
        for index in range(handover.sent)
        if facts.history[index]["event"] == "redis.executed"
        and facts.history[index]["function"] == handover.function
        and not _EMPTY_REPLY.fullmatch(str(facts.history[index]["reply"]))
        and _seen(facts, index, keys) == labels
    ]


def _seen(facts: Facts, index: int, keys: Changes) -> set[str]:
    """The messages in the keys that a command touched, as it found them."""
    touched = _touched(facts, index)
    held = {
        change["key"]: change["messages"] for change in keys if change["event"] < index and change["key"] in touched
    }
    return {label for labels in held.values() for label in labels}


def _touched(facts: Facts, index: int) -> set[str]:
    return {*facts.history[index]["reads"], *facts.history[index]["writes"]}


def _may_have_been_sent(facts: Facts, message: Sent) -> bool:
    """Whether a command carried the message's text, or its text is one that an encoding may have changed."""
    texts = {str(call.text) for call in message.calls}
    executed = [event for event in facts.history if event["event"] == "redis.executed"]
    return any(
        not signs_of([(message.label, text)]) or any(text in str(arg) for event in executed for arg in event["args"])
        for text in texts
    )


def _places(stay: Stay) -> str:
    return ", then in ".join(_short(key) for key in stay.keys[:3])


def _short(key: str) -> str:
    return key if len(key) <= _KEY_SHOWN else key[: _KEY_SHOWN - 1] + "…"


def _step(facts: Facts, index: int) -> str:
    """An event as a person names it: whose command, and when."""
    event = facts.history[index]
    at = seconds(event["t"])
    if event["event"] != "redis.executed":
        what = {"key.expired": "its TTL ended", "key.evicted": "it was evicted"}.get(event["event"], event["event"])
        return f"{what} at {at}"
    name = str(event["args"][0]).upper()
    command = "script" if name in ("EVAL", "EVALSHA", "FCALL") else name
    return f"{event['function']}'s {command} at {at}"
