"""Words that sections share: lists, sources, durations."""

from collections.abc import Sequence

from reports.results import ResultFile


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`; nothing: `nobody`."""
    if not names:
        return "nobody"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def source(file: ResultFile, fields: str) -> str:
    """Where numbers come from: distributions, file, fields, and the command that made the file."""
    document = file.document
    parts = []
    if document.get("policy") == "timed" and document.get("distributions"):
        parts.append(f"Timed runs: {document['distributions']}.")
    made = f", made by `{document['command']}`" if document.get("command") else ""
    parts.append(f"Source: `{file.name}` ({fields}){made}.")
    return " ".join(parts)
