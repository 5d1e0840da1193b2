"""Ticks and polls come more and more rarely where nothing happens, so that an hour of silence costs little.

It must not be seen in what a run shows. So they come on time while a hand-over is at work (a design may renew by them what it holds),
once something is sent again, and while a buffer waits for its end: who came late to these would make a sound design late. And so
they do where they are what happens: while something waits and they change keys, and soon enough for what they renew. A lock that a
zombie renews must not end because its renewal was late. Where nothing waits, a heartbeat may be as rare as all else.
"""

from collections.abc import Callable, Iterable, Sequence

from engine.simulation.agenda import Agenda
from engine.simulation.tracking import Recorder

#: After so many ticks, or this long, without news, they come more rarely: later by a twentieth of the silence, a minute at most.
AFTER_TICKS = 100
AFTER_MS = 200_000
LATE_MAX_MS = 60_000
#: How often a design without ticks is taken to poll.
POLL_MS = 1_000
#: What changed within so many ticks is what they do; what is written so long after any news is what they renew.
BUSY_TICKS = 20
RENEWED_AFTER_MS = 10_000


class Thinning:
    """Says how much later a tick or a poll comes than it was to."""

    def __init__(
        self,
        agenda: Agenda,
        record: Recorder,
        upcoming_ms: Sequence[int],
        ends_ms: Callable[[Iterable[str]], list[int]],
        *,
        tick_ms: int | None,
        delay_ms: int,
        settle_ms: int,
    ) -> None:
        self._agenda = agenda
        self._record = record
        self._upcoming_ms = upcoming_ms
        self._ends_ms = ends_ms
        self._every_ms = tick_ms or POLL_MS
        #: However long a buffer waits for its end, that is no silence.
        self._enough_ms = max(min(AFTER_TICKS * self._every_ms, AFTER_MS), 2 * delay_ms)
        self._settle_ms = settle_ms
        self._changed_ms = 0
        self._renewed: dict[str, None] = {}

    def note_written(self, keys: Iterable[str]) -> None:
        """A command changed these keys."""
        self._changed_ms = self._agenda.now_ms
        if self._changed_ms > self._record.progress_ms + RENEWED_AFTER_MS:
            self._renewed.update(dict.fromkeys(keys))
        else:
            self._renewed.clear()

    def late_ms(self) -> int:
        """How much later the tick or poll that is due now comes. 0: not at all."""
        now = self._agenda.now_ms
        silent_ms = now - self._record.progress_ms
        if silent_ms <= self._enough_ms or self._agenda.at_work:
            return 0
        late_ms = min(LATE_MAX_MS, silent_ms // 20)
        if self._record.waiting and silent_ms <= self._settle_ms:  # what waits longer is a violation anyway
            if now - self._changed_ms <= BUSY_TICKS * self._every_ms:
                return 0
            if self._renewed:
                late_ms = min([late_ms, *((end - now) // 2 for end in self._ends_ms(self._renewed))])
        if self._upcoming_ms:
            late_ms = min(late_ms, (self._upcoming_ms[0] - now) // self._every_ms * self._every_ms)
        return max(0, late_ms)
