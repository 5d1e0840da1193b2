"""A counterexample as a page: one self-contained HTML file, made of a trace document and nothing else."""

import shlex
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from reports.diagram import Diagram, diagram_of, in_order_except, svg
from reports.diagram.words import summary_of
from reports.labels import Labels

_LANES = {"users": "users", "redis": "Redis", "processor": "processor"}


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
    diagram = diagram_of(trace["history"], events=violation["events"])
    labels = Labels(trace["history"])
    keys = [
        {
            "at": change["event"],
            "t": change.get("t", trace["history"][change["event"]]["t"]),
            "key": change["key"],
            "name": labels.keys[change["key"]],
            "value": change["value"],
            "short": summary_of(change["value"], labels, change["key"]) if change["value"] is not None else "",
            "ends": change["ends_ms"],
        }
        for change in trace["keys"]
    ]
    texts = resources.files("reports").joinpath("templates")
    return environment.get_template("timeline.html.j2").render(
        strategy=trace["strategy"],
        scenario=trace["scenario"],
        invariant=violation["invariant"],
        cause=violation["cause"],
        explanation=violation["explanation"],
        in_order=in_order_except(trace["exceptions"]),
        replay=shlex.quote(replay) if replay else "",
        messages=[event for event in trace["history"] if event["event"] == "webhook.sent"],
        picture=Markup(svg(diagram, foot=False)),
        rows=_rows(diagram),
        changes=_changes(diagram, keys),
        data={"rows": [[row.at, row.t_ms] for row in diagram.rows], "keys": keys},
        versions=trace["versions"],
        style=Markup(texts.joinpath("timeline.css").read_text(encoding="utf-8")),
        script=Markup(texts.joinpath("timeline.js").read_text(encoding="utf-8")),
    )


def _rows(diagram: Diagram) -> list[dict[str, Any]]:
    """The rows for narrow screens, where lanes have no room."""
    return [
        {
            "at": row.at,
            "time": diagram.seconds(row.t_ms),
            "lane": _LANES.get(row.lane, row.lane),
            "words": row.words,
            "result": row.result,
            "mark": row.mark,
            "kind": row.kind,
        }
        for row in diagram.rows
    ]


def _changes(diagram: Diagram, keys: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How the keys changed, for a reader without scripts and for paper."""
    return [
        {
            "time": diagram.seconds(change["t"]),
            "key": change["key"],
            "name": change["name"],
            "value": change["value"],
            "short": change["short"],
            "lives": None if change["ends"] is None else f"{(change['ends'] - change['t']) / 1000:.3f}",
        }
        for change in keys
    ]
