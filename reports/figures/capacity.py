"""Capacity: where each design's day is full, what a day costs, and how far the model is from what was measured."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reports.figures import ink
from reports.figures.bars import strategies_down
from reports.figures.drawing import Figure, Page, legend_below
from reports.results import ResultFile
from reports.wording import listed, source

Row = Mapping[str, Any]
#: What a check compares, in words.
QUANTITIES = {
    "redis_requests_per_message": "round trips a message",
    "server_busy_share": "share of time in which the server is busy",
    "messages_per_batch": "messages a batch",
    "add_ms_p50": "time of an add (median)",
}
#: A prediction counts as right within this share of what was measured; the file's own `within` decides, this is drawn.
WITHIN = 0.25


def rounded(value: float) -> str:
    """A volume as one says it: `4.6 million`, `85 million`, `12,000`."""
    if value >= 1e6:
        return f"{float(f'{value / 1e6:.2g}'):g} million" if value < 1e7 else f"{value / 1e6:,.0f} million"
    return f"{value:,.0f}"


def figure(file: ResultFile) -> Figure:
    """Where each design is full."""
    rows, platform = file.document["rows"], file.document["platform"]
    return Figure(
        name="capacity",
        title=message(rows, platform["instances"]),
        caption=(
            "A model in SimPy, not a measurement: the volume whose busiest hour (of a stated profile of the day) needs "
            "all of the server, "
            f"or all {platform['instances']:,} function instances (a window holds an instance for its whole length). "
            "Service times: "
            f"`{file.document['load']['command']}`, {file.document['load']['machine']['server']}. Computed from the "
            "largest volume "
            f"below the limit. {source(file, 'rows[].saturation', timed=False)}"
        ),
        draw=lambda page: _draw(rows, page),
    )


def last_of(rows: Sequence[Row]) -> dict[str, Row]:
    """The row of the largest volume of each strategy."""
    found: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: row["messages_a_day"]):
        found[row["strategy"]] = row
    return {name: found[name] for name in ink.in_order(found)}


def message(rows: Sequence[Row], instances: int) -> str:
    """What is full first, at which volume."""
    ends = {name: row["saturation"] for name, row in last_of(rows).items()}
    first = {name: end["first"] for name, end in ends.items()}
    told = []
    functions = [name for name, what in first.items() if what == "functions"]
    server = [name for name, what in first.items() if what == "server"]
    if functions:
        told.append(
            f"{instances:,} functions are full at {_span(ends, functions, 'by_functions')} messages a day, before Redis at "
            f"{_span(ends, functions, 'by_server')}"
        )
    if server:
        told.append(f"Redis is full first at {_span(ends, server, 'by_server')} messages a day")
    return "In the model " + "; ".join(told)


def _span(ends: Mapping[str, Row], names: Sequence[str], field: str) -> str:
    """One volume, or the least and the most with whose they are."""
    ordered = sorted(names, key=lambda name: ends[name][field])
    low, high = (ends[name][field] for name in (ordered[0], ordered[-1]))
    if rounded(low) == rounded(high):
        return rounded(low)
    return f"{rounded(low)} ({ordered[0]}) to {rounded(high)} ({ordered[-1]})"


def _draw(rows: Sequence[Row], page: Page) -> Canvas:
    ends = {name: row["saturation"] for name, row in last_of(rows).items()}
    names = list(ends)
    canvas = page.canvas(0.7 + 0.3 * len(names))
    axes = canvas.subplots()
    for place, name in enumerate(names):
        for field, shift, alpha in (("by_functions", -0.2, 1.0), ("by_server", 0.2, 0.45)):
            value = ends[name][field]
            colour = ink.pen_of(name, names).colour
            axes.barh([place + shift], [value], color=colour, alpha=alpha, height=0.36)
            what = "functions" if field == "by_functions" else "Redis"
            axes.annotate(
                f"{what}: {rounded(value)}",
                (value, place + shift),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
            )
    axes.set_xscale("log")
    values = [end[field] for end in ends.values() for field in ("by_functions", "by_server") if end[field] > 0]
    axes.set_xlim(min(values, default=1) / 10, max(values, default=1) * (30 if page.narrow else 6))
    axes.xaxis.set_major_formatter(lambda value, _: rounded(value))
    axes.set_xlabel("messages a day at which it is full (logarithmic)")
    if page.narrow:
        axes.tick_params(axis="x", labelsize=7)
    strategies_down(axes, names)
    return canvas


def day_figure(file: ResultFile) -> Figure:
    """What a day costs and how busy its busiest hour is, over volumes."""
    rows = file.document["rows"]
    return Figure(
        name="capacity-day",
        title=day_message(rows),
        caption=(
            "Model: a day whose hours have the shares of the file's `profile`; cost by the file's `prices` "
            "(invocations, gigabyte-seconds of "
            "functions, requests to Redis: give your own); the busiest hour's server and its slowest hundredth of adds "
            "(cold starts among "
            f"them). Both axes logarithmic. {source(file, 'rows[].cost_a_day, .busiest_hour', timed=False)}"
        ),
        draw=lambda page: _draw_day(rows, page),
    )


def day_message(rows: Sequence[Row]) -> str:
    """What the middle volume costs, and what most of it is for."""
    volumes = sorted({row["messages_a_day"] for row in rows})
    if not volumes:
        return "No volume was modelled"
    volume = max((each for each in volumes if each <= 1_000_000), default=volumes[0])
    mine = {row["strategy"]: row for row in rows if row["messages_a_day"] == volume}
    told = [f"{name} {mine[name]['cost_a_day']['total']:,.3g}" for name in ink.in_order(mine)]
    total = sum(row["cost_a_day"]["total"] for row in mine.values())
    waiting = sum(row["cost_a_day"]["function_seconds"] for row in mine.values())
    share = f"; {100 * waiting / total:.0f} % of it for functions that wait" if total else ""
    return f"{rounded(volume)} messages a day cost, in the currency of the prices: {', '.join(told)}{share}"


_PANELS: tuple[tuple[str, Callable[[Row], float]], ...] = (
    ("cost of a day", lambda row: row["cost_a_day"]["total"]),
    ("server busy, busiest hour (%)", lambda row: 100 * row["busiest_hour"]["server_busy_share"]),
    ("add, slowest hundredth (ms)", lambda row: row["busiest_hour"]["add_ms"].get("p99", 0)),
)


def _draw_day(rows: Sequence[Row], page: Page) -> Canvas:
    canvas = page.canvas(5.6 if page.narrow else 2.6)
    panels = canvas.subplots(*((3, 1) if page.narrow else (1, 3)), sharex=True).ravel()
    names = ink.in_order(row["strategy"] for row in rows)
    for axes, (title, value) in zip(panels, _PANELS, strict=True):
        for name in names:
            pen = ink.pen_of(name, names)
            mine = sorted((row for row in rows if row["strategy"] == name), key=lambda row: row["messages_a_day"])
            points = [(row["messages_a_day"], value(row)) for row in mine if value(row) > 0]
            axes.plot(
                [each for each, _ in points],
                [each for _, each in points],
                **pen.style,
                label=name,
                markersize=4,
                linewidth=1.4,
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(title)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
        axes.yaxis.set_minor_formatter(lambda *_: "")
        if not page.narrow:
            axes.set_xlabel("messages a day")
    panels[-1].set_xlabel("messages a day")
    legend_below(canvas, panels[0], 3 if page.narrow else 5)
    return canvas


def check_figure(file: ResultFile) -> Figure | None:
    """Predictions beside measurements, where the model was held against other loads."""
    checks = file.document["checks"]
    if not checks:
        return None
    commands = dict.fromkeys(f"`{each['command']}`" for each in checks)
    return Figure(
        name="capacity-checks",
        title=check_message(checks),
        caption=(
            f"Predicted ÷ measured (logarithmic); the band is ±{100 * WITHIN:.0f} %. The model had its service times "
            "from one load and was "
            f"asked for others at other rates: {listed(list(commands))}. The numbers are in the table. "
            f"{source(file, 'checks', timed=False)}"
        ),
        draw=lambda page: _draw_checks(checks, page),
    )


def check_message(checks: Sequence[Row]) -> str:
    """How many predictions are near enough, and where the model is wrong."""
    pairs = [(name, each[name]) for each in checks for name in QUANTITIES]
    right = sum(pair["within"] for _, pair in pairs)
    text = f"{right} of {len(pairs)} predictions are within {100 * WITHIN:.0f} % of what was measured"
    wrong: dict[str, list[str]] = {}
    for each in checks:
        for name in QUANTITIES:
            if not each[name]["within"]:
                wrong.setdefault(QUANTITIES[name], []).append(each["strategy"])
    told = [f"{what} ({listed(ink.in_order(names))})" for what, names in wrong.items()]
    return f"{text}; it is wrong about {listed(told)}" if told else text


def _draw_checks(checks: Sequence[Row], page: Page) -> Canvas:
    columns = 2 if page.narrow else 4
    names = ink.in_order(each["strategy"] for each in checks)
    lines = -(-len(QUANTITIES) // columns)
    canvas = page.canvas((0.85 + 0.24 * len(names)) * lines)
    panels = canvas.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (field, title) in zip(panels, QUANTITIES.items(), strict=True):
        _ratios(axes, checks, field, names)
        axes.set_title(page.wrap(title, 0.3 if page.narrow else 0.19), fontsize=8)
    for axes in panels[-columns:]:
        axes.set_xlabel("predicted ÷ measured")
    return canvas


def _ratios(axes: Axes, checks: Sequence[Row], field: str, names: list[str]) -> None:
    axes.axvspan(1 - WITHIN, 1 + WITHIN, color=ink.GOOD, alpha=0.13, linewidth=0)
    axes.axvline(1, color=ink.MUTED, linewidth=0.8)
    rates = sorted({each["rate_per_s"] for each in checks})
    for each in checks:
        pen = ink.pen_of(each["strategy"], names)
        shift = 0.28 * (rates.index(each["rate_per_s"]) - (len(rates) - 1) / 2)
        axes.plot(
            [max(each[field]["ratio"], 0.02)],
            [names.index(each["strategy"]) + shift],
            marker=pen.marker,
            color=pen.colour,
            markersize=5,
            markerfacecolor=pen.colour if each[field]["within"] else "none",
        )
    axes.set_xscale("log")
    axes.set_xlim(0.2, 5)
    axes.set_xticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
    axes.set_xticks([], minor=True)
    strategies_down(axes, names)
