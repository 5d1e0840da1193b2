"""A history as a timeline in text: what `verify` and `replay` print."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports.diagram import diagram_of, text


def timeline(
    history: Sequence[Mapping[str, Any]],
    *,
    events: Sequence[int] = (),
    explanation: str = "",
    exceptions: Sequence[str] | None = None,
    trace: str = "",
) -> str:
    """The timeline of a history. `events` are the positions of the conflicting steps, `trace` the file that replays it."""
    return text(diagram_of(history, events=events, explanation=explanation, exceptions=exceptions, replay=trace))
