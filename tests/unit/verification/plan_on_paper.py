"""What the plan's designs do to Redis, written by hand: the pieces that histories of races are made of."""

import json

from tests.unit.verification.paper import Paper

BUFFER = "msg_buffer:bot:49151"
LOCK = "lock:bot:49151"


def document(*ids: str, processed: bool = False) -> str:
    messages = [{"text": "hello", "timestamp": "", "messageId": each, "messageData": None} for each in ids]
    return json.dumps({"messages": messages, "processed": processed}, separators=(",", ":"))


def write(paper: Paper, t: int, function: str, *ids: str, processed: bool = False) -> int:
    return paper.redis(t, function, "SETEX", BUFFER, "60", document(*ids, processed=processed))


def read(paper: Paper, t: int, function: str) -> int:
    return paper.redis(t, function, "GET", BUFFER, reply="{…}")


def script_adds(paper: Paper, t: int, function: str, message_id: str, *, taken: bool = True) -> int:
    entry = json.dumps({"text": "hello", "messageId": message_id}, separators=(",", ":"))
    arguments = ("EVALSHA", "ADD", "1", BUFFER, entry, "60", "now", "SETEX")
    return paper.redis(t, function, *arguments, reply="1" if taken else "0", writes=taken)


def script_claims(paper: Paper, t: int, function: str) -> int:
    return paper.redis(t, function, "EVALSHA", "MARK", "1", BUFFER, "300", "now", "SETEX", reply="{…}")


def first_message(paper: Paper, function: str = "f1") -> None:
    """m1 creates the buffer."""
    paper.message("m1", function=function)
    read(paper, 12, function)
    write(paper, 15, function, "m1")


def processed(paper: Paper, *, outcome: str = "done", marks: bool = True) -> None:
    """f2 delivers m1: read at 8.030 s, marked at 9.130 s."""
    paper.deliver(8_015, 9_140, by="f1", at="f2")
    read(paper, 8_030, "f2")
    paper.hand_over("m1", 8_035, 9_100, function="f2", outcome=outcome)
    if marks:
        write(paper, 9_130, "f2", "m1", processed=True)
