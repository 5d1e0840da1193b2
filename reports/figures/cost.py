"""Lock against Lua against lease: what a message costs in time, round trips and bytes, and what a burst becomes."""

from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reports.figures import ink
from reports.figures.bars import bars, strategies_down
from reports.figures.drawing import Figure, Page, legend_below
from reports.results import ResultFile
from reports.wording import runs_of, seconds, source

Row = Mapping[str, Any]


def per_message(row: Row, field: str) -> float:
    """A count divided by the messages; 0 where there are none."""
    return row[field] / row["messages"] if row["messages"] else 0.0


def bytes_each(row: Row) -> float:
    """Bytes a message, both ways."""
    return per_message(row, "bytes_sent") + per_message(row, "bytes_received")


def batches_each(row: Row) -> float:
    """Batches a burst."""
    return row["batches"] / row["bursts"] if row["bursts"] else 0.0


def idle_each(row: Row) -> float:
    """Round trips of one function in a minute in which nothing happens."""
    return row["idle_round_trips"] / row["idle_function_minutes"] if row["idle_function_minutes"] else 0.0


def errors_each(row: Row) -> float:
    """Webhook calls that were not answered 2xx, in percent."""
    return 100 * per_message(row, "errors")


#: Panels with one value a strategy: title, value, how it is written.
_VALUES: tuple[tuple[str, Callable[[Row], float], str], ...] = (
    ("round trips a message", lambda row: per_message(row, "round_trips"), "{:.1f}"),
    ("bytes a message (both ways)", bytes_each, "{:,.0f}"),
    ("batches a burst (1 is ideal)", batches_each, "{:.2f}"),
    ("webhook errors (% of calls)", errors_each, "{:.1f}"),
    ("round trips a function and minute, idle", idle_each, "{:.1f}"),
)
_FIELDS = "rows[].add_ms, .answer_ms, .round_trips, .bytes_sent, .bytes_received, .batches, .errors, .idle_round_trips"
#: Panels with quantiles: title, field.
_TIMES = (("time to take a message", "add_ms"), ("time to the answer", "answer_ms"))


def figure(file: ResultFile) -> Figure:
    """The figure from a file of the kind `cost`."""
    rows = file.document["rows"]
    return Figure(
        name="cost",
        title=message(rows),
        caption=(
            "Simulated time; counts are exact. Times: the median as a point, a line to the 95th and a tick at the 99th "
            f"percentile, of {runs_of(rows, 'messages')} messages in {runs_of(rows, 'bursts')} bursts "
            f"({file.document.get('bursts', '')}); scripts warm, sweeps off while messages are counted and counted by "
            "themselves (idle). "
            f"{source(file, _FIELDS)}"
        ),
        draw=lambda page: _draw(rows, page),
    )


def message(rows: list[Row]) -> str:
    """The cheapest way to take a message, and how the others compare with it."""
    by = {row["strategy"]: row for row in rows}
    told = [
        f"{name} {per_message(by[name], 'round_trips'):.1f} round trips and {seconds(by[name]['add_ms']['p50'])}"
        for name in ink.in_order(by)
        if by[name]["add_ms"]["p50"] is not None
    ]
    return "A message costs (the median until it is taken): " + ", ".join(told)


def growth_figure(file: ResultFile) -> Figure:
    """How an add grows with the buffer, from a file of the kind `cost`."""
    rows = file.document["growth"]
    return Figure(
        name="growth",
        title=growth_message(rows),
        caption=(
            "Bytes over the wire, both ways, for each of twenty equal messages of one buffer. One run, exact. "
            f"{source(file, 'growth[].bytes', timed=False)}"
        ),
        draw=lambda page: _draw_growth(rows, page),
    )


def growth_message(rows: list[Row]) -> str:
    """Whose add grows with the buffer, by how much."""
    told, level = [], []
    for name in ink.in_order(row["strategy"] for row in rows):
        sizes = [row["bytes"] for row in rows if row["strategy"] == name]
        if max(sizes[1:]) > 1.2 * min(sizes[1:]):
            told.append(f"{name} {sizes[-1] / sizes[1]:.1f} times")
        else:
            level.append(name)
    text = (
        f"The last of {len({row['messages_before'] for row in rows})} messages of a burst costs as much as the second"
    )
    return f"{text} in {' and '.join(level)}" + (f"; {', '.join(told)} as much" if told else "")


def _draw(rows: list[Row], page: Page) -> Canvas:
    names = ink.in_order(row["strategy"] for row in rows)
    by = {row["strategy"]: row for row in rows}
    columns, count = (1 if page.narrow else 2), len(_TIMES) + len(_VALUES)
    lines = -(-count // columns)
    canvas = page.canvas(1.32 * lines)
    panels = list(canvas.subplots(lines, columns, squeeze=False).ravel())
    for axes, (title, field) in zip(panels, _TIMES, strict=False):
        _times(axes, [by[name] for name in names], field)
        axes.set_title(title)
    for axes, (title, value, form) in zip(panels[len(_TIMES) :], _VALUES, strict=False):
        bars(axes, names, {name: value(by[name]) for name in names}, form.format, label=title)
    for place, axes in enumerate(panels):
        axes.set_visible(place < count)
        strategies_down(axes, names)
    return canvas


def _times(axes: Axes, rows: list[Row], field: str) -> None:
    names = [row["strategy"] for row in rows]
    for y, row in enumerate(rows):
        quantiles = row[field]
        if quantiles["p50"] is None:
            continue
        pen = ink.pen_of(row["strategy"], names)
        middle, high, top = (quantiles[name] / 1000 for name in ("p50", "p95", "p99"))
        axes.plot([middle, high], [y, y], color=pen.colour, linewidth=2)
        axes.plot([middle], [y], color=pen.colour, marker=pen.marker, markersize=5)
        axes.plot([top], [y], color=pen.colour, marker="|", markersize=9)
        text = f"{middle:.2f} … {top:.2f}"
        axes.annotate(text, (top, y), (6, 0), textcoords="offset points", va="center", fontsize=7.5)
    most = max((row[field]["p99"] or 0 for row in rows), default=0) / 1000
    axes.set_xlim(0, (most or 1) * 1.45)
    axes.set_xlabel("s (median … 99th percentile)")


def _draw_growth(rows: list[Row], page: Page) -> Canvas:
    canvas = page.canvas(3.0 if page.narrow else 2.7)
    axes = canvas.subplots()
    names = ink.in_order(row["strategy"] for row in rows)
    for name in names:
        pen = ink.pen_of(name, names)
        mine = [row for row in rows if row["strategy"] == name]
        axes.plot(
            [row["messages_before"] + 1 for row in mine],
            [row["bytes"] for row in mine],
            **pen.style,
            markersize=4,
            label=name,
        )
    axes.set_xlabel("the message's place in its buffer")
    axes.set_ylabel("bytes")
    axes.set_ylim(bottom=0)
    axes.set_xticks([place for place in (1, 5, 10, 15, 20) if place <= len({row["messages_before"] for row in rows})])
    legend_below(canvas, axes, 3 if page.narrow else 5)
    return canvas
