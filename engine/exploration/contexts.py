"""Where in a program a fault would strike: what its function did last, and what the fault would meet.

Two hundred places of a run are thirty contexts. A sweep that found nothing is one, wherever it happens; the moment after a
batch was claimed is another, whichever function claimed it. What a function did is told by what its last step touched and not
by the step's name: all scripts of a design may have the same one.
"""

import re
from collections.abc import Iterable

from engine.exploration.scheduler import Draw, Footprint, Pending

Context = tuple[str, str]
"""What the function did last, and where the fault would strike."""

_FUNCTION = re.compile(r"\bf\d+\b")
_HASH_TAG = re.compile(r"\{[^}]*\}:?")
_NUMBERS = re.compile(r"\d+")


class Contexts:
    """Listens to a run."""

    def __init__(self) -> None:
        self._did: dict[str, str] = {}

    def took(self, step: Pending, footprint: Footprint) -> None:
        """Remember what an actor did to Redis, the processor or an endpoint."""
        touched = sorted(set(_kinds(footprint)))
        if touched:
            self._did[step.actor] = " ".join(touched)

    def of(self, draw: Draw) -> Context:
        """The context of a question for a fault. Names of functions and numbers are left out."""
        place = draw.key.partition("#")[0]
        function = _FUNCTION.search(place)
        did = self._did.get(function[0], "") if function is not None else ""
        # A script by its hash and by its source is the same one.
        return did, _NUMBERS.sub("", place).replace("EVALSHA", "EVAL")


def _kinds(footprint: Footprint) -> Iterable[str]:
    """What was read and written, keys by what they begin with: two parts, without hash tag and numbers."""
    for room, which, wrote in footprint:
        if room == "redis":
            parts = _NUMBERS.sub("", _HASH_TAG.sub("", which)).split(":")
            yield f"{'writes' if wrote else 'reads'} {':'.join(parts[:2])}"
        elif room in ("processor", "endpoint"):
            yield room
