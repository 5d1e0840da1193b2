"""When things happened in a run, so that another can let a stall, an outage or a pause end just then.

What a late command does depends on what it meets. A length drawn from a range of five minutes hardly ever ends in the few
seconds in which another batch is at work.
"""

import random
from bisect import bisect_left, bisect_right


class Moments:
    """Times by what happened, each in order."""

    def __init__(self) -> None:
        self._times: dict[str, list[int]] = {}
        self._all: list[int] = []

    def note(self, what: str, at_ms: int) -> None:
        """It happened then; times come in order."""
        for times in (self._times.setdefault(what, []), self._all):
            if not times or times[-1] != at_ms:
                times.append(at_ms)

    def draw(self, stream: random.Random, first_ms: int, last_ms: int) -> int | None:
        """A time in this span, or None if nothing happened in it.

        What happened, then when, each with equal probability; then at that time, a millisecond after or halfway to what is next.
        """
        spans = [times[bisect_left(times, first_ms) : bisect_right(times, last_ms)] for times in self._times.values()]
        spans = [span for span in spans if span]
        if not spans:
            return None
        at_ms = stream.choice(stream.choice(spans))
        following = bisect_right(self._all, at_ms)
        next_ms = self._all[following] if following < len(self._all) else at_ms
        return min(last_ms, stream.choice((at_ms, at_ms + 1, (at_ms + next_ms) // 2)))
