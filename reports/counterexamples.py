"""The timeline page of every counterexample that verdicts point at."""

import json
from pathlib import Path

from jinja2 import TemplateError

from reports.errors import BadResultFile
from reports.parts.search import smallest
from reports.results import Results
from reports.shapes import Each, Maybe, Shape, problem_with
from reports.timelines import write_page

#: What a page shows; what else its events have depends on their kind.
TRACE = Shape(
    fields={
        "strategy": str,
        "scenario": str,
        "violation": {"invariant": Maybe(str), "cause": Maybe(str), "explanation": str, "events": Each(int)},
        "exceptions": Each(str),
        "versions": dict,
    },
    rows={"history": {"t": int, "event": str}, "keys": {"event": int, "key": str}},
    may_be_empty=frozenset({"history", "keys"}),
)


def write_pages(results: Results, out: Path) -> tuple[dict[str, str], list[str]]:
    """Write `timelines/NAME.html` for each trace of the results.

    Returns where each trace's page is, relative to `out`, and the traces that are not there (they were moved) and so have
    none. Raises `BadResultFile` for a damaged one.
    """
    links: dict[str, str] = {}
    missing = []
    for name in sorted(_traces(results)):
        trace = results.folder / name
        if trace.is_file():
            links[name] = f"timelines/{trace.stem}.html"
            _write(trace, out / links[name])
        else:
            missing.append(name)
    return links, missing


def _traces(results: Results) -> set[str]:
    rows = [row for file in results.of("verify") for row in file.document["rows"]]
    failures = [row for file in results.of("campaign") for row in smallest(file.document["failures"])]
    verdicts = {name for row in rows for name in (row.get("trace"), *(row.get("causes") or {}).values()) if name}
    return verdicts | {row["trace"] for row in failures if row.get("trace")}


def _write(trace: Path, page: Path) -> None:
    try:
        document = json.loads(trace.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise BadResultFile(f"trace {trace}: this is not JSON, or it was cut short: record it again") from None
    if not isinstance(document, dict) or document.get("schema") != 1 or document.get("kind") != "trace":
        raise BadResultFile(f"trace {trace}: this is no trace of a schema known here: record it again")
    if (problem := problem_with(document, TRACE)) is not None:
        raise BadResultFile(f"trace {trace}: {problem}: record it again")
    try:
        write_page(document, page, replay=str(trace))
    except (LookupError, TypeError, ValueError, AttributeError, TemplateError) as error:
        raise BadResultFile(
            f"trace {trace}: an event of history or a change of keys lacks a field, or has a wrong one ({error}): record it again"
        ) from None
