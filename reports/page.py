"""The report as one HTML file: nothing is loaded from anywhere, nothing runs."""

import hashlib
import re
from collections.abc import Sequence
from importlib import resources
from types import SimpleNamespace
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from reports.figures.drawing import NARROW, WIDE, Figure
from reports.results import ResultFile, Results
from reports.sections import Answer, Section


def page(results: Results, sections: Sequence[Section], answers: Sequence[Answer], title: str, lead: str) -> str:
    """The HTML text."""
    environment = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=select_autoescape(("html", "j2"), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["marked"] = marked
    style = resources.files("reports").joinpath("templates/style.css").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(
        title=title,
        lead=lead,
        style=Markup(style),
        answers=[_known(answer, sections) for answer in answers],
        headings={section.id: section.heading for section in sections},
        sections=[_drawn(section) for section in sections],
        files=[_source(file, results) for file in results.files],
        versions=_versions(results),
    )


def marked(text: str) -> Markup:
    """Text with `code` and **strong** words, safe to stand in a page."""
    safe = str(escape(text))
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", safe))


def _known(answer: Answer, sections: Sequence[Section]) -> Answer:
    """The answer, pointing only at sections that there are."""
    there = {section.id for section in sections}
    return Answer(answer.question, answer.lines, tuple(each for each in answer.where if each in there))


def _drawn(section: Section) -> Any:
    return SimpleNamespace(
        id=section.id,
        heading=section.heading,
        text=section.text,
        figures=[_figure(figure) for figure in section.figures],
        tables=section.tables,
        files_only=section.files_only,
    )


def _figure(figure: Figure) -> Any:
    return SimpleNamespace(
        name=figure.name,
        title=figure.title,
        caption=figure.caption,
        wide=Markup(figure.svg(WIDE)),
        small=Markup(figure.svg(NARROW)),
    )


def _source(file: ResultFile, results: Results) -> dict[str, Any]:
    return {
        "name": file.name,
        "kind": file.kind,
        "seed": file.document.get("seed", "–"),
        "command": file.document.get("command") or "–",
        "digest": digest_of(file, results),
    }


def digest_of(file: ResultFile, results: Results) -> str:
    """SHA-256 of the file, in hexadecimal."""
    return hashlib.sha256((results.folder / file.name).read_bytes()).hexdigest()


def _versions(results: Results) -> str:
    found: dict[str, set[str]] = {}
    for file in results.files:
        for name, value in (file.document.get("versions") or {}).items():
            found.setdefault(name, set()).add(str(value))
    return ", ".join(f"{name} {' / '.join(sorted(values))}" for name, values in sorted(found.items()))
