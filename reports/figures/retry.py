"""Retry on a time axis, with the TTLs over it: where the horizon of the attempts crosses the end of what they need."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reports.figures import ink
from reports.figures.drawing import Figure, Page
from reports.results import ResultFile
from reports.wording import listed, source

Row = Mapping[str, Any]
#: From here on the axis is logarithmic: the first attempts lie close together, time-outs far apart.
OLD_TTL_S = 15


def figure(file: ResultFile) -> Figure:
    """The figure from a file of the kind `retry_ttl_grid`."""
    rows = file.document["attempts"]
    return Figure(
        name="retry",
        title=message(rows),
        caption=(
            "One message, and a failure that goes on ten times. Points: when the batch was handed over (for `endpoint_503`: "
            "when the delivery call was made); at the right, what became of the message. Vertical lines: the end of the "
            "buffer's TTL (solid: as the design sets it; dotted: the old 15 s). One run a row, every hop 1 ms, so it can be "
            f"checked by hand. {source(file, 'attempts[].hand_overs_s, .deliveries_s, .buffer_ttl_s, .lost', timed=False)}"
        ),
        draw=lambda page: _draw(rows, page),
    )


def fate(row: Row) -> str:
    """What became of the message."""
    if row["lost"]:
        return "lost"
    if row["dead_lettered"]:
        return "dead letter"
    return "answered" if row["effects"] == 1 else f"answered {row['effects']} times"


def tries(row: Row) -> list[float]:
    """When a design tried, in seconds: its hand-overs, or its calls where none of them got through."""
    times: list[float] = row["deliveries_s"] if row["failure"].startswith("endpoint") else row["hand_overs_s"]
    return times


def message(rows: list[Row]) -> str:
    """Who hands a failed batch over again, and who loses it."""
    names = ink.in_order(row["strategy"] for row in rows)
    at_processor = [row for row in rows if not row["failure"].startswith("endpoint")]
    once = [n for n in names if all(len(row["hand_overs_s"]) <= 1 for row in at_processor if row["strategy"] == n)]
    keep = [n for n in names if not any(row["lost"] for row in rows if row["strategy"] == n)]
    told = []
    if once:
        verb = "hands" if len(once) == 1 else "hand"
        told.append(f"{listed(once)} never {verb} a failed batch over again")
    if keep:
        told.append(f"{listed(keep)} lost nothing under any of {len({row['failure'] for row in rows})} failures")
    return "; ".join(told) or "Every strategy loses some failed batch"


def _draw(rows: list[Row], page: Page) -> Canvas:
    failures = list(dict.fromkeys(row["failure"] for row in rows))
    names = ink.in_order(row["strategy"] for row in rows)
    columns = 1 if page.narrow else 2
    lines = -(-len(failures) // columns)
    canvas = page.canvas(1.35 * lines + 0.5)
    panels = canvas.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    last_s = max((t for row in rows for t in tries(row)), default=60)
    for axes, failure in zip(panels, failures, strict=False):
        mine = {row["strategy"]: row for row in rows if row["failure"] == failure}
        for place, name in enumerate(names):
            if name in mine:
                _line(axes, place, mine[name], names, last_s)
        axes.axvline(OLD_TTL_S, color=ink.MUTED, linewidth=0.8, linestyle=":")
        axes.set_title(failure)
        axes.set_xscale("log")
        axes.set_xlim(6, last_s * 6)
        ticks = [t for t in (8, 15, 30, 60, 120, 300, 600) if t < last_s * 1.2]
        axes.set_xticks(ticks, [str(t) for t in ticks])
        axes.set_xticks([], minor=True)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
    for axes in panels[len(failures) :]:
        axes.set_visible(False)
    for axes in panels[max(0, len(failures) - columns) :]:
        axes.set_xlabel("time after the message (s, logarithmic)")
    return canvas


def _line(axes: Axes, place: int, row: Row, names: list[str], last_s: float) -> None:
    pen = ink.pen_of(row["strategy"], names)
    times = tries(row)
    axes.plot(times, [place] * len(times), color=pen.colour, marker=pen.marker, linestyle="none", markersize=5)
    if row.get("buffer_ttl_s"):
        axes.vlines(row["buffer_ttl_s"], place - 0.42, place + 0.42, color=ink.TEXT, linewidth=1.4)
    told = fate(row)
    colour = {"lost": ink.BAD, "answered": ink.GOOD, "dead letter": ink.GOOD}.get(told, ink.BAD)
    axes.text(last_s * 1.25, place, told, va="center", fontsize=7.5, color=colour, fontweight="bold")
