"""What still waits, as the run goes on: the world ends a run by it. Judges do not use it, they read the history."""

from collections.abc import Callable
from typing import Any

Event = dict[str, Any]

#: Events that come again and again also where nothing happens.
_ROUTINE = frozenset({"tick", "task", "cleanup", "redis", "note", "key"})
#: Those of a delivery: one that achieves something is told by its hand-over. So many without anything else are no news.
_DELIVERING = frozenset({"deliver", "delivery"})
_DELIVERING_MAX = 100


class Stillness:
    """Whether one whole tick has changed nothing since the last thing that happened.

    By instant (in coarse runs): what else happens at a tick's instants disturbs it, before it and after it alike.
    """

    def __init__(self, instant: Callable[[], int] | None = None) -> None:
        self.reached = False
        self._instant = instant
        self._disturbances = 0

    def disturb(self) -> None:
        """A key changed, a message was accepted or settled, the run healed: another tick is needed."""
        self.reached = False
        self._disturbances = self._disturbances + 1 if self._instant is None else self._instant()

    def begin(self) -> int:
        """A tick begins. Returns what to give to `end`."""
        return self._disturbances if self._instant is None else self._instant()

    def end(self, begun: int) -> None:
        """That tick has ended, without an error."""
        still = begun == self._disturbances if self._instant is None else begun > self._disturbances
        self.reached = self.reached or still


_COUNTED = frozenset({"webhook.sent", "webhook.answered", "handover.effect", "dead_letter"})


class Recorder:
    """Writes the history, and keeps count of the accepted messages that have had no effect yet."""

    def __init__(self, now_ms: Callable[[], int], *, by_instant: bool = False) -> None:
        self.history: list[Event] = []
        self._now_ms = now_ms
        self._calls: dict[str, tuple[str, str, str]] = {}
        self._settled: set[tuple[str, str, str]] = set()
        self.waiting: dict[tuple[str, str, str], None] = {}
        self.news_ms = 0  # when anything but routine happened last
        self.progress_ms = 0  # the same without deliveries that go on and on
        self._delivering = 0
        self.faults = 0
        self.doubled = 0  # effects in which nothing was new
        self.stillness = Stillness(now_ms if by_instant else None)

    def __call__(self, event: str, **fields: Any) -> None:
        """Add an event at the present instant."""
        now_ms = self._now_ms()
        self.history.append({"t": now_ms, "event": event, **fields})
        kind = event.partition(".")[0]
        # Once every accepted message is settled, handing it over again is no news: a design may do so for ever.
        if kind not in _ROUTINE and (self.waiting or kind != "handover"):
            self.news_ms = now_ms
            self._delivering = self._delivering + 1 if kind in _DELIVERING else 0
            if self._delivering <= _DELIVERING_MAX:
                self.progress_ms = now_ms
            self.faults += event == "fault"
        if event not in _COUNTED:
            return
        if event == "webhook.sent":
            self._calls[fields["call"]] = (*fields["conversation"], fields["id"])
        elif event == "webhook.answered":
            message = self._calls[fields["call"]]
            if 200 <= fields["status"] < 300 and message not in self._settled:
                self.waiting[message] = None
                self.stillness.disturb()
        else:
            self.stillness.disturb()
            settled = len(self._settled)
            for each in fields["messages"]:
                message = (*fields["conversation"], each["id"])
                self._settled.add(message)
                self.waiting.pop(message, None)
            self.doubled += event == "handover.effect" and len(self._settled) == settled
