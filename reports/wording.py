"""Words that sections share: lists, sources, durations."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports.results import ResultFile


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`; nothing: `nobody`."""
    if not names:
        return "nobody"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def source(file: ResultFile, fields: str, *, timed: bool = True) -> str:
    """Where numbers come from: distributions (of `timed` runs), file, fields, and the command that made the file."""
    document = file.document
    parts = []
    if timed and document.get("policy") == "timed" and document.get("distributions"):
        parts.append(f"Timed runs: {document['distributions']}.")
    made = f", made by `{document['command']}`" if document.get("command") else ""
    parts.append(f"Source: `{file.name}` ({fields}){made}.")
    return " ".join(parts)


def sources(files: Sequence[ResultFile], fields: str) -> str:
    """Where numbers come from that stand in several files."""
    if len(files) == 1:
        return source(files[0], fields, timed=False)
    names = listed([f"`{file.name}`" for file in files])
    commands = dict.fromkeys(f"`{file.document['command']}`" for file in files if file.document.get("command"))
    made = f", made by {listed(list(commands))}" if commands else ""
    return f"Source: {names} ({fields}){made}."


def counted(count: int, one: str, more: str | None = None) -> str:
    """`1 run`, `3 runs`; `more` where it is no `s` that makes many of one."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def runs_of(rows: Sequence[Mapping[str, Any]], field: str = "runs") -> str:
    """How many runs stand behind each row: `60`, or `12–60`."""
    counts = sorted({row[field] for row in rows})
    if not counts:
        return "0"
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,}–{counts[-1]:,}"


def seconds(ms: float) -> str:
    """Milliseconds as `460 ms` or `12.1 s`."""
    return f"{ms:.0f} ms" if ms < 1_000 else f"{ms / 1_000:.1f} s"


_SITUATIONS = {
    "boundary": "near the end of the window",
    "burst": "at the same instant as another",
    "during_processing": "while the answer is made",
    "slow_holder": "when the network is slower than a lock lives",
    "two_conversations": "when two names differ only in where a colon stands",
    "grace_wait": "at the end of the window with a quick processor",
    "next_burst": "soon after an answer",
    "real_chat": "in real chats",
    "retry": "when a call fails",
}


def situation(scenario: str) -> str:
    """When a message comes, in words for somebody who has not seen the project; the scenario's name where it has none."""
    return _SITUATIONS.get(scenario, f"in `{scenario}`")
