"""A counterexample as a page: one self-contained HTML file, made of a trace document and nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from reports.timeline import timeline


def write_page(trace: Mapping[str, Any], path: Path, *, replay: str = "") -> None:
    """Write the page of a trace (the document of a file in `traces/`). `replay` is that file, as `bufferproof replay` takes it.

    Raises `KeyError` or `TypeError` if this is no trace document, `OSError` if the page cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(trace, replay=replay), encoding="utf-8", errors="backslashreplace")


def page(trace: Mapping[str, Any], *, replay: str = "") -> str:
    """The HTML text of a trace's page."""
    environment = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=select_autoescape(("html", "j2"), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    violation = trace["violation"]
    return environment.get_template("timeline.html.j2").render(
        strategy=trace["strategy"],
        scenario=trace["scenario"],
        violation=violation,
        replay=replay,
        picture=timeline(trace["history"], events=violation["events"]),
    )
