"""Histories on paper for the pictures: a message that comes between the read and the mark of a batch."""

from typing import Any

KEY = "msg_buffer:bot:4915110000001"
WHO = ["bot", "4915110000001"]


def executed(t: int, function: str, *args: str, reply: str, reads: Any = (), writes: Any = ()) -> dict[str, Any]:
    return {
        "t": t,
        "event": "redis.executed",
        "command": t,
        "function": function,
        "args": list(args),
        "reply": reply,
        "reads": list(reads),
        "writes": list(writes),
    }


def stored(*ids: str, processed: str = "false") -> str:
    return '{"messages":[' + ",".join(f'{{"messageId":"{each}"}}' for each in ids) + f'],"processed":{processed}}}'


def batch(*ids: str) -> list[dict[str, Any]]:
    return [{"id": each, "text": each, "data": None} for each in ids]


#: A message that comes between the read and the mark: m2 is accepted and never handed over.
LOSS: list[dict[str, Any]] = [
    {"t": 0, "event": "start", "strategy": "baseline", "scenario": "during_processing"},
    {
        "t": 1_000,
        "event": "webhook.sent",
        "call": "w1",
        "conversation": WHO,
        "id": "ID-A",
        "text": "hi",
        "data": None,
        "label": "m1",
    },
    {"t": 1_010, "event": "webhook.arrived", "call": "w1", "function": "f1"},
    executed(1_020, "f1", "PING", reply="PONG"),
    executed(1_030, "f1", "GET", KEY, reply="nil", reads=[KEY]),
    executed(1_040, "f1", "SETEX", KEY, "15", stored("ID-A"), reply="OK", writes=[KEY]),
    {"t": 1_050, "event": "webhook.answered", "call": "w1", "function": "f1", "status": 200},
    {"t": 9_000, "event": "timer", "function": "f1"},
    {"t": 9_010, "event": "delivery.arrived", "call": "d1", "function": "f2", "conversation": WHO},
    executed(9_020, "f2", "GET", KEY, reply=stored("ID-A"), reads=[KEY]),
    {
        "t": 9_030,
        "event": "handover.sent",
        "call": "h1",
        "function": "f2",
        "conversation": WHO,
        "messages": batch("ID-A"),
        "key": None,
        "fence": None,
    },
    {"t": 9_100, "event": "webhook.sent", "call": "w2", "conversation": WHO, "id": "ID-B", "text": "yo", "label": "m2"},
    {"t": 9_110, "event": "webhook.arrived", "call": "w2", "function": "f1"},
    executed(9_120, "f1", "SETEX", KEY, "15", stored("ID-A", "ID-B"), reply="OK", writes=[KEY]),
    {"t": 9_130, "event": "webhook.answered", "call": "w2", "function": "f1", "status": 200},
    {"t": 12_000, "event": "handover.effect", "call": "h1", "conversation": WHO, "messages": batch("ID-A")},
    executed(12_010, "f2", "SETEX", KEY, "30", stored("ID-A", "ID-B", processed="true"), reply="OK", writes=[KEY]),
    {"t": 60_000, "event": "waiting", "conversation": WHO, "id": "ID-B"},
]
READ, LATE_ADD, MARK = 9, 13, 16
