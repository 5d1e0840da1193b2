"""What a run aims its faults at: kinds, contexts in which they could strike, and which of their occurrences."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set

from engine.exploration.contexts import Context

#: How much a context weighs in which a fault meets a step that changes nothing.
DULL = 0.2

Aim = tuple[str, Context, int]
"""A kind of fault, a context, and which of its occurrences."""

Places = Mapping[str, Counter[Context]]
"""By kind of fault and context: how often the kind could strike there."""


def aims_at(places: Places, telling: Set[Context], most: int, stream: random.Random) -> set[Aim]:
    """One aim to so many. More than may strike would all be struck at the first places."""
    return {_aim_at(places, telling, stream) for _ in range(stream.randint(1, most))}


def more_aims(
    struck: Sequence[Aim], places: Places, telling: Set[Context], budget: int, stream: random.Random
) -> set[Aim]:
    """The faults that struck, and as many more as may: one at least, if these places have another."""
    aims = set(struck)
    if not aims.issuperset(_every_aim(places)):
        while len(aims) == len(struck):
            aims |= aims_at(places, telling, budget - len(struck), stream)
    return aims


def new_in(places: Places, known: Places) -> dict[str, Counter[Context]]:
    """The contexts that are not among the known ones, by the kinds that have some."""
    new = {
        kind: Counter({context: count for context, count in contexts.items() if context not in known.get(kind, ())})
        for kind, contexts in places.items()
    }
    return {kind: contexts for kind, contexts in new.items() if contexts}


def _every_aim(places: Places) -> Iterator[Aim]:
    for kind, contexts in places.items():
        for context, count in contexts.items():
            yield from ((kind, context, occurrence) for occurrence in range(1, count + 1))


def _aim_at(places: Places, telling: Set[Context], stream: random.Random) -> Aim:
    """A kind of fault and a context in which it could strike, mostly a telling one; and any occurrence of that."""
    kind = stream.choice(sorted(places))
    # What a function misses while it stands still does not depend on where it stood still.
    dull = 1 if kind == "pause" else DULL
    context = stream.choices(list(places[kind]), [1 if each in telling else dull for each in places[kind]])[0]
    return kind, context, stream.randint(1, places[kind][context])
