"""Which steps may be exchanged: the conflicts of a run, and why those that have none are independent.

**What is to be shown.** Two steps that are next to each other in a run are *independent* if the run with the two exchanged is
a run as well, ends in the same state, and is judged alike. A class (a Mazurkiewicz trace) is what remains when runs that
differ by such exchanges are taken for one; whoever has tried one run of each class has tried them all.

**What a step is.** An arrival with its execution, a reply's arrival, a timer, an end of work, and what follows from it until
asyncio's ready queue is empty, in asyncio's own order. Everything else that is chosen is a *number*: who gets a call, whether a
fault strikes here, whether a hop that is sent is held, how long. A number is asked by the step that needs it and belongs to that
step: a step with other numbers is another step. All values are tried at each place where one is asked, so numbers never
need to be exchanged with anything; only whole steps are.

**What a step touches** is noted while it happens, by the parts of the world that are touched (`Footprint`), never predicted:

- `redis`, by key: what fakeredis really read and wrote, through `redis.call` too, and every key that the command names. A key's
  expiry needs no entry: the time alone decides it, and only a step in time changes the time. `EXEC` reads what was
  watched. `KEYS`, `SCAN` and whatever is not known to be harmless read all of the room, so they conflict with every write.
- `script` and a digest: an `EVAL` puts its script into the cache, which an `EVALSHA` reads; two `EVAL`s of one script put in the same.
- `server`: every execution and every new connection reads it; restart, outage, script flush and eviction write it.
- `ends`: where somebody hears of it when a key ends (`notify-keyspace-events`), every execution writes it, and so does the
  end itself, which is a step of its own and writes all of `redis`.
- `connection`: its requests, replies, its end. What a client sent is executed whether it still waits or not, so a request at
  the server and a step of its function share the connection alone.
- `function`: every step that happens *to* a function, and every arrival at it, writes it: two steps of one function conflict, which
  covers all memory that its tasks share.
- `processor`, by conversation: arrivals, ends of work, and what functions say that judges compare with these (hand-overs sent,
  failed and confirmed, dead letters, statuses). All of the room while planned failures are given out in the order of arrival.
- `provider`, by conversation: a sending writes, an answer reads: a message's acceptance is compared with the next one's sending.
- `routing`: every choice of a function reads it, and writes it where alike functions are offered once; crash, pause, retirement
  and restart write it.
- `bound`: a fault that strikes, a hop that is held, writes the bound that it uses up. One that could have and did not touches
  nothing: it would be the same if the bound were used up.
- `step`: a step writes itself, and whoever cancels it writes it too.
- A step in time is `EVERYTHING`.

**Why exchange is sound.** What a step does is a function of the parts above and of the time. If neither writes what the other
touches, each does the same, asks the same numbers and creates the same steps in either order (a step's identity is its cause
and its place among what that caused). Neither enables the other, as the cause of a step is part of its history, nor disables
it, as cancelling writes `step` and stopping a function writes `function`. What the world itself looks at (does the run heal, has it
ended, was a tick without effect) is looked at between instants only, in coarse runs, where the order within the instant is over.
The judges compare times, which are the same, and the order of events in the rooms `processor` and `provider`, which conflict.

**What is not in a class**: the numbers of commands (`command` in a history) and the order of lines of one instant that do not
conflict. Draws for latencies come from no stream in exhaustive runs; a function's own `random` belongs to it.

Where a part's effect is not known it is `EVERYTHING`, or all of its room. `tests/unit/exploration/test_dpor.py` and
`tests/simulation/test_exhaustion.py` cross-check with brute force.
"""

from functools import lru_cache
from typing import NamedTuple

from engine.exploration.scheduler import Footprint


class _Touched(NamedTuple):
    """A footprint, arranged for comparing."""

    reads: frozenset[tuple[str, str]]
    writes: frozenset[tuple[str, str]]
    rooms: frozenset[str]
    rooms_written: frozenset[str]
    whole_reads: frozenset[str]
    whole_writes: frozenset[str]


@lru_cache(maxsize=20_000)
def _arranged(footprint: Footprint) -> _Touched:
    return _Touched(
        frozenset((room, which) for room, which, writes in footprint if which and not writes),
        frozenset((room, which) for room, which, writes in footprint if which and writes),
        frozenset(room for room, _, _ in footprint),
        frozenset(room for room, _, writes in footprint if writes),
        frozenset(room for room, which, writes in footprint if not which and not writes),
        frozenset(room for room, which, writes in footprint if not which and writes),
    )


@lru_cache(maxsize=200_000)
def conflict(one: Footprint, other: Footprint) -> bool:
    """Whether two steps may not be exchanged: one writes what the other touches."""
    a, b = _arranged(one), _arranged(other)
    if "" in a.rooms or "" in b.rooms:
        return True
    return not (
        a.writes.isdisjoint(b.writes)
        and a.writes.isdisjoint(b.reads)
        and a.reads.isdisjoint(b.writes)
        and a.whole_writes.isdisjoint(b.rooms)
        and b.whole_writes.isdisjoint(a.rooms)
        and a.whole_reads.isdisjoint(b.rooms_written)
        and b.whole_reads.isdisjoint(a.rooms_written)
    )
