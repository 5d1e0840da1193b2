"""The trace file: all that a replay needs, and nothing of the machine that wrote it."""

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from engine.buffer.errors import UsageError
from engine.buffer.files import write_whole
from engine.simulation.case import Case
from engine.simulation.parts import checked, part
from engine.verification import INVARIANTS
from engine.verification.history import canonical
from scenarios.running import History

T = TypeVar("T")

SCHEMA = 1
_PACKAGES = ("bufferproof", "redis", "fakeredis", "simpy", "httpx", "starlette")


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A recorded run: what a replay needs, and its history, from which it is shown and compared.

    `events` are the positions of the conflicting steps, `exceptions` the clauses of "in order everywhere, except: …", and
    `keys` how the values and TTLs of Redis' keys changed: what the state was after the event of that position. `recorded_with`
    are the versions of what the run depended on.
    """

    strategy: str
    case: Case
    schedule: dict[str, int]
    stepped: bool
    invariant: str | None
    cause: str | None
    explanation: str
    digest: str
    history: History = field(repr=False)
    events: tuple[int, ...] = ()
    exceptions: tuple[str, ...] = ()
    keys: Sequence[dict[str, Any]] = field(default=(), repr=False)
    recorded_with: Mapping[str, str] = field(default_factory=lambda: versions())

    def to_json(self) -> dict[str, Any]:
        """The trace document."""
        return {
            "schema": SCHEMA,
            "kind": "trace",
            "strategy": self.strategy,
            "scenario": self.case.scenario,
            "settings": dict(self.case.settings),
            "violation": {
                "invariant": self.invariant,
                "cause": self.cause,
                "explanation": self.explanation,
                "events": list(self.events),
            },
            "exceptions": list(self.exceptions),
            "stepped": self.stepped,
            "schedule": self.schedule,
            "case": self.case.to_json(),
            "versions": dict(self.recorded_with),
            "digest": self.digest,
            "keys": list(self.keys),
            "history": self.history,
        }

    def write(self, path: Path) -> None:
        """Write the file."""
        write_whole(path, trace_text(self.to_json()))


def read_trace(path: Path) -> Trace:
    """Read a trace. Raises `UsageError`, in one line, if it is none of a schema known here or no run could be made of it."""
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
    if "history" not in document:
        raise UsageError(f"trace {path}: it has no history, an older version wrote it: record it again with verify")
    try:
        return _trace_of(document)
    except ValueError as error:
        raise UsageError(f"trace {path}: {error}: record it again with verify") from None


def _trace_of(document: dict[str, Any]) -> Trace:
    """The trace that a document holds. Raises `ValueError`, which names the field, for one that is missing or wrong."""
    violation = part(document, "violation", dict)
    named = _text_or_null(violation, "invariant", "violation.")
    if named is not None and named not in INVARIANTS:
        raise ValueError(f"violation.invariant is {json.dumps(named)}, which is no invariant")
    history = _each(document, "history", dict)
    for index, event in enumerate(history):
        part(event, "t", int, f"history[{index}].")
        part(event, "event", str, f"history[{index}].")
    events = _each(violation, "events", int, "violation.")
    if outside := [index for index in events if not 0 <= index < len(history)]:
        raise ValueError(f"violation.events has {outside[0]}, the history has {len(history)} events")
    case = Case.from_json(part(document, "case", dict))
    # A reader finds them at the top, a replay in the case: a change of the former alone would change nothing.
    for name, used in (("scenario", case.scenario), ("settings", dict(case.settings))):
        if document.get(name, used) != used:
            raise ValueError(f"{name} is not what case.{name} is, which a replay goes by: change neither or both")
    return Trace(
        strategy=part(document, "strategy", str),
        case=case,
        schedule={
            name: checked(value, int, f"schedule.{name}") for name, value in part(document, "schedule", dict).items()
        },
        stepped=part(document, "stepped", bool),
        invariant=named,
        cause=_text_or_null(violation, "cause", "violation."),
        explanation=part(violation, "explanation", str, "violation."),
        digest=part(document, "digest", str),
        history=history,
        events=tuple(events),
        exceptions=tuple(_each(document, "exceptions", str)),
        keys=_each(document, "keys", dict),
        recorded_with={
            name: checked(value, str, f"versions.{name}")
            for name, value in checked(document.get("versions", {}), dict, "versions").items()
        },
    )


def _text_or_null(plain: dict[str, Any], name: str, where: str) -> str | None:
    return None if name in plain and plain[name] is None else part(plain, name, str, where)


def _each(plain: dict[str, Any], name: str, kind: type[T], where: str = "") -> list[T]:
    """A list that may be left out, whose values are of one type."""
    values = checked(plain.get(name, []), list, f"{where}{name}")
    return [checked(value, kind, f"{where}{name}[{index}]") for index, value in enumerate(values)]


def in_order_of_names(value: Any) -> Any:
    """A JSON value with sorted names, but for what stands under `data`: a message's data is handed on as it was sent."""
    if isinstance(value, dict):
        names = sorted(value)
        return {name: value[name] if name == "data" else in_order_of_names(value[name]) for name in names}
    return [in_order_of_names(each) for each in value] if isinstance(value, list | tuple) else value


def trace_text(document: dict[str, Any]) -> str:
    """The file's text: sorted names, a line for each event of the history."""
    text = json.dumps(in_order_of_names({**document, "history": [], "keys": []}), indent=1)
    for name in ("history", "keys"):
        lines = ",\n".join(f"  {json.dumps(item, sort_keys=True)}" for item in document[name])
        if lines:  # a text within the document has no newline of its own: what is replaced is the list itself
            text = text.replace(f'\n "{name}": []', f'\n "{name}": [\n{lines}\n ]')
    return text + "\n"


def first_difference(recorded: History, history: History) -> int | None:
    """The position of the first event that is not the recorded one; None if all are."""
    for index, (one, other) in enumerate(zip(recorded, history, strict=False)):
        if canonical(one) != canonical(other):
            return index
    return None if len(recorded) == len(history) else min(len(recorded), len(history))


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
    return _with_path(spec, os.path.relpath)


def short(spec: str) -> str:
    """A strategy's or scenario's name without the folders of its file: the same from every working directory."""
    return _with_path(spec, os.path.basename)


def _with_path(spec: str, change: Callable[[str], str]) -> str:
    path, colon, name = spec.rpartition(":")
    if colon and path.endswith(".py"):
        return f"{change(str(Path(path).expanduser()))}:{name}"
    kind, colon, path = spec.partition(":")
    return f"{kind}:{change(path)}" if colon and kind == "workload" else spec
