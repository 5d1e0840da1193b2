"""Which of the failures that batches found are made small.

Decided batch by batch in the order of their numbers, from what stands before each alone: so it does not matter where a sitting
ends, and what is chosen once stays chosen.
"""

from collections import defaultdict

from scenarios.campaign.store import Key, Store

#: So many failures of one violation by one named race are made small; of one that no race explains, more.
SMALL_MAX, SMALL_MAX_UNNAMED = 3, 8


class Choice:
    """The first example of each violation, and then those that are smaller than all before, until there are enough."""

    def __init__(self, store: Store, trials: tuple[int, int]) -> None:
        self._store = store
        self._trials = trials
        self._next = 0
        #: Of each strategy, invariant and cause: how many events each chosen example has.
        self._events: dict[tuple[str, str, str], list[int]] = defaultdict(list)

    def go_on(self) -> set[Key]:
        """Decide on the batches that no unfinished one precedes any more. What is chosen, now and not before."""
        first, self._next = self._next, self._store.whole_until(self._next)
        chosen: dict[Key, int] = {}
        for batch, strategy, invariant, cause, events in self._store.rows(
            "SELECT batch, strategy, invariant, cause, events FROM found WHERE batch >= ? AND batch < ?"
            " ORDER BY batch, invariant, cause",
            (first, self._next),
        ):
            sizes = self._events[strategy, invariant, cause]
            if not sizes or (len(sizes) < (SMALL_MAX if cause else SMALL_MAX_UNNAMED) and events < sizes[-1]):
                chosen[batch, invariant, cause] = self._trials[1 if sizes else 0]
                sizes.append(events)
        self._store.choose(chosen)
        return set(chosen)
