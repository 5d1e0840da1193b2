"""From results to a report: which sections there are, in which order, and where everything is written."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.answers import answers_of
from reports.counterexamples import write_pages
from reports.errors import BadResultFile
from reports.figures.drawing import Figure
from reports.figures.ink import in_order
from reports.junit import junit
from reports.page import digest_of, page
from reports.parts import sections_of
from reports.results import Results
from reports.sections import Answer, Section, Table
from reports.wording import counted, listed

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Written:
    """What was written: the page, and all files relative to the report's folder; and the traces that are not there."""

    page: Path
    files: tuple[str, ...]
    missing: tuple[str, ...]


def build(results: Results, out: Path, progress: Progress | None = None) -> Written:
    """Write `report.html`, `figures/`, `timelines/`, `summary.json` and `junit.xml` into `out`.

    Raises `BadResultFile` if there is nothing to show, or if a trace that a result file names is damaged.
    """
    links, missing = write_pages(results, out)
    sections = sections_of(results, links)
    if not sections:
        raise BadResultFile(f"{results.folder}: there is no result file: run bufferproof verify or bufferproof measure")
    answers = answers_of(results)
    out.mkdir(parents=True, exist_ok=True)
    text = page(results, sections, answers, title_of(results), lead_of(results))
    (out / "report.html").write_text(text, encoding="utf-8", newline="\n")
    files = ["report.html", *links.values()]
    figures = [figure for section in sections for figure in (*section.figures, *section.files_only)]
    for done, figure in enumerate(figures, 1):
        files += [f"figures/{name}" for name in figure.write(out / "figures")]
        if progress is not None:
            progress("drawing", done, len(figures))
    summary = json.dumps(_summary(results, sections, answers), indent=1) + "\n"
    (out / "summary.json").write_text(summary, encoding="utf-8", newline="\n")
    (out / "junit.xml").write_text(junit(results), encoding="utf-8", newline="\n")
    return Written(out / "report.html", (*files, "summary.json", "junit.xml"), tuple(missing))


#: What the built-in designs are, for whoever sees their names for the first time.
_DESIGNS = {
    "steps of a repair plan": ("baseline", "lock", "lua"),
    "the lock done well": ("fenced_lock",),
    "this project's own": ("lease",),
}


def lead_of(results: Results) -> str:
    """The sentences under the headline: what ran, and what a verdict is worth."""
    names = {str(row["strategy"]) for file in results.files for row in _rows(file.document) if row.get("strategy")}
    known = [
        f"{listed([f'`{name}`' for name in there])}: {what}"
        for what, those in _DESIGNS.items()
        if (there := [name for name in those if name in names])
    ]
    told = f" ({'; '.join(known)})" if known else ""
    ran = f"{counted(len(names), 'design')} of such a buffer{told} ran" if names else "such buffers ran"
    return (
        f"Chat bots collect a burst of short messages in Redis and answer once. Here {ran}, as production runs them, in simulated "
        "time. A violation is a fact that can be replayed; none found means none in so many runs."
    )


def _rows(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = [rows for rows in document.values() if isinstance(rows, list)]
    return [row for rows in found for row in rows if isinstance(row, Mapping)]


def title_of(results: Results) -> str:
    """The headline: who was never seen to lose, and who was."""
    rows = [row for file in results.of("verify") for row in file.document["rows"]]
    rows = [row for row in rows if row["invariant"] in ("no_loss", "no_duplicate")]
    broken = {row["strategy"] for row in rows if row["verdict"] == "violated"}
    tried = in_order(row["strategy"] for row in rows)
    bad = [name for name in tried if name in broken]
    good = [name for name in tried if name not in broken]
    if not tried:
        return "Message buffers under simulation"
    if not bad:
        return f"{listed(good)}: no message lost, none answered twice"
    verb = "loses or doubles" if len(bad) == 1 else "lose or double"
    return f"{listed(bad)} {verb} messages" + (f"; {listed(good)} did not" if good else "")


def _shown(section: Section) -> list[Figure | Table]:
    return [*section.figures, *section.tables]


def _summary(results: Results, sections: list[Section], answers: list[Answer]) -> dict[str, Any]:
    return {
        "schema": 1,
        "kind": "summary",
        "title": title_of(results),
        "answers": [
            {"question": answer.question, "answer": list(answer.lines), "where": list(answer.where)}
            for answer in answers
        ],
        "figures": [
            {"name": each.name, "section": section.id, "title": each.title, "caption": each.caption}
            for section in sections
            for each in _shown(section)
        ],
        "sources": [{"file": f.name, "kind": f.kind, "sha256": digest_of(f, results)} for f in results.files],
    }
