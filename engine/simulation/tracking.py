"""What still waits, as the run goes on: the world ends a run by it. Judges do not use it, they read the history."""

from collections.abc import Callable
from typing import Any

Event = dict[str, Any]


class Stillness:
    """Whether one whole tick has changed nothing since the last thing that happened."""

    def __init__(self) -> None:
        self.reached = False
        self._disturbances = 0

    def disturb(self) -> None:
        """A key changed, a message was accepted or settled, the run healed: another tick is needed."""
        self.reached = False
        self._disturbances += 1

    def begin(self) -> int:
        """A tick begins. Returns what to give to `end`."""
        return self._disturbances

    def end(self, begun: int) -> None:
        """That tick has ended, without an error."""
        self.reached = self.reached or begun == self._disturbances


class Recorder:
    """Writes the history, and keeps count of the accepted messages that have had no effect yet."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.history: list[Event] = []
        self._now_ms = now_ms
        self._calls: dict[str, tuple[str, str, str]] = {}
        self._settled: set[tuple[str, str, str]] = set()
        self.waiting: dict[tuple[str, str, str], None] = {}
        self.stillness = Stillness()

    def __call__(self, event: str, **fields: Any) -> None:
        """Add an event at the present instant."""
        self.history.append({"t": self._now_ms(), "event": event, **fields})
        if event == "webhook.sent":
            self._calls[fields["call"]] = (*fields["conversation"], fields["id"])
        elif event == "webhook.answered":
            message = self._calls[fields["call"]]
            if 200 <= fields["status"] < 300 and message not in self._settled:
                self.waiting[message] = None
                self.stillness.disturb()
        elif event in ("handover.effect", "dead_letter"):
            self.stillness.disturb()
            for each in fields["messages"]:
                message = (*fields["conversation"], each["id"])
                self._settled.add(message)
                self.waiting.pop(message, None)
