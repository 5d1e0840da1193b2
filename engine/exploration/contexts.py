"""Where in a program a fault would strike: what led there, and what the fault would meet.

Two hundred places of a run are thirty contexts. A sweep that found nothing is one, wherever it happens; the moment after a
batch was claimed is another, whichever function claimed it. What led to a step is told by what the last of its causes touched
that touched anything, and not by names of steps: all scripts of a design may have the same one. A function does several things at
a time, so what it did last says less.
"""

import re
from collections.abc import Iterable

from engine.exploration.scheduler import Draw, Footprint, Pending

Context = tuple[str, str]
"""What led there, and where the fault would strike."""

_HASH_TAG = re.compile(r"\{[^}]*\}:?")
_NUMBERS = re.compile(r"\d+")
_NOTHING = ("", False)


class Contexts:
    """Listens to a run."""

    def __init__(self) -> None:
        #: By step: what the last of its causes (or it) did that did anything, and whether that changed something.
        self._led_to: dict[int, tuple[str, bool]] = {}
        self._now: Pending | None = None
        self._asked: dict[int, list[tuple[str, Context]]] = {}
        #: Contexts in which a fault would meet a step that changes something, or follow one.
        self.telling: set[Context] = set()

    def takes(self, step: Pending) -> None:
        """This step is about to happen: questions until the next one are asked on its behalf."""
        self._now = step

    def took(self, step: Pending, footprint: Footprint) -> str:
        """A step has happened. Returns what it did to Redis, the processor or an endpoint; "" if nothing."""
        kinds = sorted(set(_kinds(footprint)))
        did, changes = " ".join(kinds), any(not kind.startswith("reads ") for kind in kinds)
        self._led_to[step.identity] = (did, changes) if did else self._led_to.get(step.cause, _NOTHING)
        if changes:
            self.telling.update(context for _, context in self._asked.get(step.identity, ()))
            self.telling.update(
                context for place, context in self._asked.get(step.cause, ()) if step.name.startswith(place)
            )
        return did

    def of(self, draw: Draw) -> Context:
        """The context of a question for a fault. Names of functions and numbers are left out."""
        led, changed = self._led_to.get(self._now.cause, _NOTHING) if self._now is not None else _NOTHING
        place = draw.key.partition("#")[0]
        # A script by its hash and by its source is the same one.
        context = led, _NUMBERS.sub("", place).replace("EVALSHA", "EVAL")
        if changed:
            self.telling.add(context)
        elif self._now is not None:
            self._asked.setdefault(self._now.identity, []).append((place.removeprefix("fault "), context))
        return context


def _kinds(footprint: Footprint) -> Iterable[str]:
    """What was read and written, keys by what they begin with: two parts, without hash tag and numbers."""
    for room, which, wrote in footprint:
        if room == "redis":
            parts = _NUMBERS.sub("", _HASH_TAG.sub("", which)).split(":")
            yield f"{'writes' if wrote else 'reads'} {':'.join(parts[:2])}"
        elif room in ("processor", "endpoint"):
            yield room
