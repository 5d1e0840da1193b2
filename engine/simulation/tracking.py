"""What still waits, as the run goes on: the world ends a run by it. (Judges do not use it: they read the history.)"""

from collections.abc import Callable
from typing import Any

Event = dict[str, Any]


class Recorder:
    """Writes the history, and keeps count of the accepted messages that have had no effect yet."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.history: list[Event] = []
        self._now_ms = now_ms
        self._calls: dict[str, tuple[str, str, str]] = {}
        self._settled: set[tuple[str, str, str]] = set()
        self.waiting: dict[tuple[str, str, str], None] = {}

    def __call__(self, event: str, **fields: Any) -> None:
        """Add an event at the present instant."""
        self.history.append({"t": self._now_ms(), "event": event, **fields})
        if event == "webhook.sent":
            self._calls[fields["call"]] = (*fields["conversation"], fields["id"])
        elif event == "webhook.answered":
            message = self._calls[fields["call"]]
            if 200 <= fields["status"] < 300 and message not in self._settled:
                self.waiting[message] = None
        elif event in ("handover.effect", "dead_letter"):
            for each in fields["messages"]:
                message = (*fields["conversation"], each["id"])
                self._settled.add(message)
                self.waiting.pop(message, None)
