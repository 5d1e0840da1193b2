"""The trace file: all that a replay needs, and nothing of the machine that wrote it."""

import hashlib
import json
import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine.buffer.errors import UsageError
from engine.simulation.case import Case
from scenarios.running import History

SCHEMA = 1
_PACKAGES = ("bufferproof", "redis", "fakeredis", "simpy", "httpx", "starlette")


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A recorded run. `marks` has four characters for each event, so that the first one that differs can be named."""

    strategy: str
    case: Case
    schedule: dict[str, int]
    stepped: bool
    invariant: str | None
    cause: str | None
    explanation: str
    digest: str
    marks: str

    def to_json(self) -> dict[str, Any]:
        """The trace document."""
        return {
            "schema": SCHEMA,
            "kind": "trace",
            "strategy": self.strategy,
            "scenario": self.case.scenario,
            "settings": dict(self.case.settings),
            "violation": {"invariant": self.invariant, "cause": self.cause, "explanation": self.explanation},
            "stepped": self.stepped,
            "schedule": self.schedule,
            "case": self.case.to_json(),
            "versions": versions(),
            "digest": self.digest,
            "marks": self.marks,
        }

    def write(self, path: Path) -> None:
        """Write the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_json(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_trace(path: Path) -> Trace:
    """Read a trace. Raises `UsageError`, in one line, if it is none of a schema known here."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"trace {path}: {error.strerror}: check the path") from None
    except (ValueError, RecursionError):
        raise UsageError(f"trace {path}: this is not JSON, or it was cut short: record it again with verify") from None
    if not isinstance(document, dict) or document.get("kind") != "trace":
        raise UsageError(f"trace {path}: this is no trace: give a file that verify wrote to traces/")
    if document.get("schema") != SCHEMA:
        raise UsageError(
            f"trace {path}: schema {document.get('schema')!r} is not known here ({SCHEMA} is): record it again"
        )
    try:
        violation = document["violation"]
        schedule = {str(key): int(value) for key, value in document["schedule"].items()}
        return Trace(
            strategy=str(document["strategy"]),
            case=Case.from_json(document["case"]),
            schedule=schedule,
            stepped=bool(document["stepped"]),
            invariant=violation["invariant"],
            cause=violation["cause"],
            explanation=violation["explanation"],
            digest=str(document["digest"]),
            marks=str(document["marks"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"trace {path}: a part is missing or damaged ({error}): record it again with verify") from None


def marks_of(history: History) -> str:
    """Four hexadecimal characters an event."""
    return "".join(_mark(event) for event in history)


def first_difference(marks: str, history: History) -> int | None:
    """The position of the first event that is not the recorded one; None if all are."""
    for index, event in enumerate(history):
        if marks[4 * index : 4 * index + 4] != _mark(event):
            return index
    return None if len(marks) == 4 * len(history) else len(history)


def _mark(event: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(event, sort_keys=True).encode()).hexdigest()[:4]


def versions() -> dict[str, str]:
    """The versions of what a run depends on."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def portable(spec: str) -> str:
    """A strategy's or scenario's name as it is written down: files relative to the working directory."""
    path, colon, name = spec.rpartition(":")
    if colon and path.endswith(".py"):
        return f"{os.path.relpath(path)}:{name}"
    return spec
