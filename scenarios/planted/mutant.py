"""What a mutant is: the real class, with some places of its scripts changed."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import ClassVar

from engine.buffer.fenced_lock.locks import PACKAGE as FENCED_LOCK
from engine.buffer.fenced_lock.strategy import FencedLock
from engine.buffer.lease.store import LeaseStore
from engine.buffer.lease.strategy import Lease
from engine.buffer.runtime import Runtime
from engine.buffer.scripts import Script

LEASE = "engine.buffer.lease"

Edits = Mapping[str, Sequence[tuple[str, str]]]


def edited(package: str, filename: str, edits: Edits) -> Script:
    """A script of a package with some places changed. Raises `ValueError` if a place is not there any more."""
    real = Script.load(package, filename)
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
        return edited(LEASE, filename, self._edits)


class Mutant(Lease):
    """`lease` with a bug: most change one place of one script, the others one method."""

    name = "planted"
    edits: ClassVar[Edits] = {}
    store: ClassVar[type[MutantStore]] = MutantStore

    def __init_subclass__(cls) -> None:
        # At import, not in a run: there it would be an exception like any other, and look like a bug that was found.
        super().__init_subclass__()
        for filename in cls.edits:
            edited(LEASE, filename, cls.edits)

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._store = self.store(runtime, self.edits)


class FencedMutant(FencedLock):
    """`fenced_lock` with a bug."""

    name = "planted"
    edits: ClassVar[Edits] = {}

    def __init_subclass__(cls) -> None:
        # At import, not in a run: there it would be an exception like any other, and look like a bug that was found.
        super().__init_subclass__()
        for filename in cls.edits:
            edited(FENCED_LOCK, filename, cls.edits)

    def _script(self, filename: str) -> Script:
        return edited(FENCED_LOCK, filename, self.edits)


def named(module: str, classes: Mapping[str, object]) -> dict[str, str]:
    """The mutants among a module's names: `planted_…` to `module:Class`. Each class is given its name."""
    found = {}
    for cls in list(classes.values()):
        if isinstance(cls, type) and cls.__module__ == module and issubclass(cls, Mutant | FencedMutant):
            cls.name = "planted" + "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__)
            found[cls.name] = f"{module}:{cls.__name__}"
    return found
