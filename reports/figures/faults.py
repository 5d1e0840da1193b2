"""Which fault breaks which strategy."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure as Canvas

from reports.figures import ink
from reports.figures.drawing import Figure, Page
from reports.figures.heat import grid
from reports.figures.steps import interval_note
from reports.intervals import wilson
from reports.results import ResultFile
from reports.wording import listed, runs_of, source

Row = Mapping[str, Any]
_FIELDS = {"lossy_runs": "a message lost", "doubling_runs": "answered twice"}


def figure(file: ResultFile) -> Figure:
    """The figure from a file of the kind `faults`."""
    rows = file.document["rows"]
    return Figure(
        name="faults",
        title=message(rows),
        caption=(
            "Two messages four seconds apart, which every strategy can do, with exactly one fault of the kind somewhere in it "
            f"(`none`: the control). Share of the {runs_of(rows)} runs in which the fault struck. {interval_note(rows)} "
            f"{source(file, 'rows[].lossy_runs, .doubling_runs, .runs')}"
        ),
        draw=lambda page: _draw(rows, page),
    )


def breaking(rows: list[Row], strategy: str) -> list[str]:
    """The faults at which a strategy lost or doubled a message."""
    return [
        row["fault"]
        for row in rows
        if row["strategy"] == strategy and row["fault"] != "none" and (row["lossy_runs"] or row["doubling_runs"])
    ]


def message(rows: list[Row]) -> str:
    """By how many kinds of fault each strategy is broken."""
    kinds = len({row["fault"] for row in rows} - {"none"})
    names = ink.in_order(row["strategy"] for row in rows)
    broken = {name: len(breaking(rows, name)) for name in names}
    told = ", ".join(f"{name} by {count}" for name, count in broken.items() if count)
    safe = [name for name, count in broken.items() if not count]
    text = (
        f"One fault of {kinds} kinds: a message is lost or doubled in {told}" if told else f"One fault of {kinds} kinds"
    )
    return f"{text}; by none in {listed(safe)}" if safe else text


def _draw(rows: list[Row], page: Page) -> Canvas:
    names = ink.in_order(row["strategy"] for row in rows)
    kinds = list(dict.fromkeys(row["fault"] for row in rows))
    canvas = page.canvas(0.22 * len(kinds) + 1.05)
    panels = canvas.subplots(1, 2, sharey=True).ravel()
    for axes, (field, title) in zip(panels, _FIELDS.items(), strict=True):
        cells = {
            (names.index(row["strategy"]), kinds.index(row["fault"])): wilson(row[field], row["runs"]) for row in rows
        }
        grid(axes, cells, names, kinds, size=7 if page.narrow else 7.5, rotation=90 if page.narrow else 0)
        axes.set_title(f"{title}\n(% of runs)" if page.narrow else f"{title} (% of runs)")
    return canvas
