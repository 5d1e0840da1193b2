"""Which requests each built-in design sends to Redis, and when: one round trip an entry, its commands by `commandstats` names.

Counted from `engine/buffer`; a test counts the requests that the designs really send and compares.
"""

from dataclasses import dataclass
from typing import Literal

Request = tuple[str, ...]
GET, SET, DEL, PING, WRITE, SCRIPT = ("get",), ("set",), ("del",), ("ping",), ("psetex",), ("evalsha",)
MARK: Request = ("multi", "psetex", "del", "exec")


@dataclass(frozen=True)
class Requests:
    """A design's round trips.

    `during` is what becomes of a message that comes while a batch of its conversation is at the processor: it waits for the
    `next` batch, is `lost` (added, and marked with the rest), or is handed over `immediate`ly, by itself. `closed_seconds`: how
    long after that a new message of the conversation is still handed over immediately.
    """

    add: tuple[Request, ...]
    #: Besides, for the message that creates a buffer.
    created: tuple[Request, ...]
    before: tuple[Request, ...]
    after: tuple[Request, ...]
    #: By the function that waited for the delivery.
    confirmed: tuple[Request, ...]
    tick: int
    during: Literal["next", "lost", "immediate"]
    closed_seconds: float = 0


DESIGNS: dict[str, Requests] = {
    "baseline": Requests((PING, GET, WRITE), (WRITE,), (GET,), (GET, WRITE, DEL), (), 0, "lost"),
    "lock": Requests((SET, PING, GET, WRITE, DEL), (WRITE,), (GET,), (SET, GET, MARK, DEL), (WRITE,), 0, "lost"),
    "lua": Requests((SCRIPT, GET), (WRITE,), (SCRIPT,), (), (WRITE,), 0, "immediate", 300),
    "fenced_lock": Requests((SET, SCRIPT, SCRIPT), (), (SET, SCRIPT), (SCRIPT, SCRIPT), (), 16, "next"),
    "lease": Requests((SCRIPT,), (), (GET, SCRIPT), (SCRIPT,), (), 16, "next"),
}
TICK_REQUEST = SCRIPT
TICK_SECONDS = 10
