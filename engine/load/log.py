"""The history of a load, as the provider and the processor saw it: what the judges read.

The events are those of `docs/history.md`. What only a function could know is put where it is surely fair to it: a message
counts as received when it was sent, and as accepted when its answer was read, so no lag of the network makes a violation.
"""

import time
from typing import Any

Event = dict[str, Any]


class Log:
    """Events in the order in which this process saw them, by one clock."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.events: list[Event] = []

    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def __call__(self, event: str, **fields: Any) -> None:
        """Record an event."""
        self.events.append({"t": int(self.seconds() * 1_000), "event": event, **fields})
