"""Result files on the way in: read, checked against the shape of their kind, and refused by name if they are wrong."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.errors import BadResultFile
from reports.kinds import KINDS, problem_of

SCHEMA = 1
#: Kinds that lie in a results folder and are no results of their own.
NOT_RESULTS = frozenset({"trace", "summary"})


@dataclass(frozen=True)
class ResultFile:
    """One result file: its name in the folder, its kind, and what it holds."""

    name: str
    kind: str
    document: Mapping[str, Any]


def in_memory(document: Mapping[str, Any]) -> ResultFile:
    """A document that was just made, to be drawn without a file: its name is the file that it would be written to."""
    return ResultFile(f"{document['kind']}.json", str(document["kind"]), document)


@dataclass(frozen=True)
class Results:
    """All result files of a folder, in the order of their names."""

    folder: Path
    files: tuple[ResultFile, ...]

    def of(self, kind: str) -> list[ResultFile]:
        """The files of a kind."""
        return [file for file in self.files if file.kind == kind]

    def first(self, kind: str) -> ResultFile | None:
        """The first file of a kind, or None."""
        return next(iter(self.of(kind)), None)


def read_results(folder: Path) -> Results:
    """Read every `*.json` of a folder. Raises `BadResultFile`, naming the first that is no result file known here."""
    if not folder.is_dir():
        return Results(folder, ())
    files = []
    for path in sorted(folder.glob("*.json")):
        file = read_result(path)
        if file.kind not in NOT_RESULTS:
            files.append(file)
    return Results(folder, tuple(files))


def read_result(path: Path) -> ResultFile:
    """Read one result file. Raises `BadResultFile`."""
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise BadResultFile(f"result file {path}: this is no file: move it elsewhere")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadResultFile(f"result file {path}: {error.strerror}: check the path and its permissions") from None
    except (ValueError, RecursionError):
        raise BadResultFile(f"result file {path}: this is not JSON, or it was cut short: make it again") from None
    if not isinstance(document, dict) or "schema" not in document:
        raise BadResultFile(f'result file {path}: it has no "schema", so it is no result file: move it elsewhere')
    if document["schema"] != SCHEMA:
        raise BadResultFile(
            f"result file {path}: schema {document['schema']!r} is not known here ({SCHEMA} is): make it again"
        )
    if not isinstance(document.get("versions") or {}, dict):
        raise BadResultFile(f'result file {path}: "versions" names no programs and their versions: make it again')
    kind = document.get("kind")
    kind = "verify" if kind == "results" else kind  # the name it had first
    if isinstance(kind, str) and kind in NOT_RESULTS:
        return ResultFile(path.name, kind, document)
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadResultFile(f"result file {path}: kind {kind!r} is not known here: there are {', '.join(KINDS)}")
    problem = problem_of(kind, document)
    if problem is not None:
        raise BadResultFile(f"result file {path}: {problem}: make it again")
    return ResultFile(path.name, kind, document)
