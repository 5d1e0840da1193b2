"""Loss and duplicates against the moment at which the second message is sent: the picture of the whole project."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reports.figures import ink
from reports.figures.drawing import Figure, Page, legend_below
from reports.intervals import percent, wilson
from reports.results import ResultFile
from reports.wording import listed, source

Row = Mapping[str, Any]


def figure(file: ResultFile) -> Figure:
    """The figure from a file of the kind `boundary`."""
    rows = file.document["rows"]
    return Figure(
        name="boundary",
        title=message(rows),
        caption=(
            "Two messages of one person; the second is sent so long after the first. Share of runs in which a message was "
            f"lost (left) or answered twice (right); the bands are 95 % Wilson intervals of {_runs(rows)} runs a point. "
            f"{source(file, 'rows[].lossy_runs, .doubling_runs, .runs')}"
        ),
        draw=lambda page: _draw(rows, page),
    )


def message(rows: list[Row]) -> str:
    """Who loses, from when on, and who does not."""
    lossy = {name: losses(rows, name) for name in ink.in_order(row["strategy"] for row in rows)}
    told = []
    for name, found in lossy.items():
        if found:
            worst = max(found, key=lambda row: row["lossy_runs"] / row["runs"])
            told.append(
                f"{name} loses from {min(row['second_at_ms'] for row in found) / 1000:.1f} s on, up to "
                f"{percent(worst['lossy_runs'] / worst['runs'])}"
            )
    safe = [name for name, found in lossy.items() if not found]
    if safe:
        told.append(f"{listed(safe)} lost nothing in {_all_runs(rows, safe):,} runs")
    if not any(row["doubling_runs"] for row in rows):
        told.append("nobody answered twice")
    return "A second message near the end of the window: " + "; ".join(told)


def losses(rows: list[Row], strategy: str) -> list[Row]:
    """The points at which a strategy lost a message."""
    return [row for row in rows if row["strategy"] == strategy and row["lossy_runs"]]


def _runs(rows: list[Row]) -> str:
    counts = sorted({row["runs"] for row in rows})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"


def _all_runs(rows: list[Row], names: list[str]) -> int:
    return sum(row["runs"] for row in rows if row["strategy"] in names)


def _draw(rows: list[Row], page: Page) -> Canvas:
    canvas = page.canvas(5.6 if page.narrow else 3.5)
    shape = (2, 1) if page.narrow else (1, 2)
    left, right = canvas.subplots(*shape, sharex=True, sharey=True).ravel()
    for axes, field, title in (
        (left, "lossy_runs", "a message lost"),
        (right, "doubling_runs", "a message answered twice"),
    ):
        _curves(axes, rows, field)
        axes.set_title(title)
        axes.set_ylim(-3, 103)
        axes.axvline(8, color=ink.MUTED, linewidth=0.8, linestyle=":")
    left.annotate(
        "the window ends", (8, 97), (-4, 0), textcoords="offset points", ha="right", fontsize=7.5, color=ink.MUTED
    )
    left.set_ylabel("share of runs (%)")
    if page.narrow:
        right.set_ylabel("share of runs (%)")
    else:
        left.set_xlabel("second message sent after (s)")
    right.set_xlabel("second message sent after (s)")
    legend_below(canvas, left, 3 if page.narrow else 5)
    return canvas


def _curves(axes: Axes, rows: list[Row], field: str) -> None:
    names = ink.in_order(row["strategy"] for row in rows)
    shown_at_zero = False
    for place, name in enumerate(names):
        mine = sorted(
            (row for row in rows if row["strategy"] == name and row["runs"]), key=lambda row: row["second_at_ms"]
        )
        at = [row["second_at_ms"] / 1000 for row in mine]
        found = [wilson(row[field], row["runs"]) for row in mine]
        pen = ink.pen_of(name, names)
        band = ([100 * e.low for e in found], [100 * e.high for e in found])
        if any(e.hits for e in found):
            axes.fill_between(at, *band, color=pen.colour, alpha=0.14, linewidth=0)
        elif not shown_at_zero:  # those that are at 0 throughout have one band together
            axes.fill_between(at, *band, color=ink.MUTED, alpha=0.12, linewidth=0)
            shown_at_zero = True
        axes.plot(
            at,
            [100 * e.share for e in found],
            **pen.style,
            label=name,
            markersize=3.6,
            linewidth=1.5,
            markevery=(place % 5, 5),  # lines on top of each other show their markers in turn
        )
