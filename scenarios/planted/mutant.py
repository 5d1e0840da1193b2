"""What a mutant of `lease` is: the real class, with some places of its scripts changed."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import ClassVar

from engine.buffer.lease.store import LeaseStore
from engine.buffer.lease.strategy import Lease
from engine.buffer.runtime import Runtime
from engine.buffer.scripts import Script

Edits = Mapping[str, Sequence[tuple[str, str]]]


def edited(filename: str, edits: Edits) -> Script:
    """A script of `lease` with some places changed. Raises `ValueError` if a place is not there any more."""
    real = Script.load("engine.buffer.lease", filename)
    source = real.source
    for old, new in edits.get(filename, ()):
        if old not in source:
            raise ValueError(f"{filename} has no {old!r} any more: plant the bug anew")
        source = source.replace(old, new)
    return Script(filename, source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


class MutantStore(LeaseStore):
    """The store with edited scripts."""

    def __init__(self, runtime: Runtime, edits: Edits) -> None:
        super().__init__(runtime)
        self._edits = edits

    def _script(self, filename: str) -> Script:
        return edited(filename, self._edits)


class Mutant(Lease):
    """`lease` with a bug in its scripts."""

    name = "planted"
    edits: ClassVar[Edits] = {}

    def __init_subclass__(cls) -> None:
        # At import, not in a run: there it would be an exception like any other, and look like a bug that was found.
        super().__init_subclass__()
        for filename in cls.edits:
            edited(filename, cls.edits)

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._store = MutantStore(runtime, self.edits)
