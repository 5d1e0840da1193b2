"""A load on a real server: how long messages wait, what each costs, and how an add grows with its buffer."""

from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reports.figures import cost, ink
from reports.figures.bars import bars, strategies_down
from reports.figures.drawing import Figure, Page, legend_below
from reports.results import ResultFile
from reports.wording import listed, runs_of, seconds, source

Row = Mapping[str, Any]
_TIMES = (
    ("until a message is taken", "add_ms"),
    ("to the answer, beyond the window", "answer_beyond_window_ms"),
)
_QUANTILES = ("p50", "p90", "p99", "p99_9")


def circumstances(file: ResultFile) -> str:
    """What was loaded how, for a caption."""
    settings, machine = file.document["settings"], file.document["machine"]
    cores = f" on {machine['cores']} cores, shared with the services and the sender" if machine.get("cores") else ""
    return (
        f"{machine['server']}{cores}; `{settings['workload']}`, {settings['rate_per_s']:g} messages a second, open loop, "
        f"{settings['processes']} service processes, all of a design's times × {settings['scale']:g}"
    )


def latency_figure(file: ResultFile) -> Figure:
    """How long messages wait, from a file of the kind `load`."""
    rows = file.document["rows"]
    return Figure(
        name="load",
        title=latency_message(rows),
        caption=(
            f"{circumstances(file)}; {runs_of(rows, 'accepted')} messages a strategy. A point is the median, ticks are the 90th, "
            "99th and 99.9th percentile (logarithmic), counted from the instant at which a message was meant to be sent. "
            "Times are this machine's: compare within the figure. "
            f"{source(file, 'rows[].add_ms, .answer_beyond_window_ms', timed=False)}"
        ),
        draw=lambda page: _draw_latency(rows, page),
    )


def latency_message(rows: list[Row]) -> str:
    """How long the slowest hundredth waits."""
    by = {row["strategy"]: row["add_ms"].get("p99") for row in rows}
    told = [f"{name} {seconds(by[name])}" for name in ink.in_order(by) if by[name] is not None]
    text = "On a real server the slowest hundredth of messages waits longer than: " + (", ".join(told) or "none taken")
    if by.get("lease") and by.get("lock"):
        share = 100 * (by["lease"] / by["lock"] - 1)
        text += f" (lease against lock: {abs(share):.0f} % {'less' if share < 0 else 'more'})"
    return text


def cost_figure(file: ResultFile, simulated: ResultFile | None) -> Figure:
    """What a message costs, with what the simulation counted beside it where there is a file of the kind `cost`."""
    rows = [row for row in file.document["rows"] if row.get("redis")]
    beside = {row["strategy"]: row for row in simulated.document["rows"]} if simulated is not None else {}
    told = ""
    if simulated is not None:
        fields = "rows[].round_trips, .bytes_sent, .bytes_received, .messages, .batches"
        told = (
            "Diamonds: the simulation's count for whole bursts, which has no sweeps (here they are ten times as frequent, by the "
            f"factor) and its own distributions of the network. {source(simulated, fields, timed=False)} "
        )
    return Figure(
        name="load-cost",
        title=cost_message(rows),
        caption=(
            f"{circumstances(file)}. Figures of the server (`INFO`) and of the service processes, divided by accepted messages; "
            f"sweeps included. {told}{source(file, 'rows[].redis, .service_cpu_us_per_message, .messages_per_batch', timed=False)}"
        ),
        draw=lambda page: _draw_cost(rows, beside, page),
    )


def bytes_each(row: Row) -> float:
    """Bytes a message, both ways."""
    return float(row["redis"]["bytes_in_per_message"] + row["redis"]["bytes_out_per_message"])


def cost_message(rows: list[Row]) -> str:
    """Round trips and the server's CPU of a message."""
    by = {row["strategy"]: row["redis"] for row in rows}
    told = [
        f"{name} {by[name]['requests_per_message']:.1f} requests and {by[name]['cpu_us_per_message']:,.0f} µs"
        for name in ink.in_order(by)
    ]
    return "A message costs the real server: " + ", ".join(told)


Value = Callable[[Row], float]
#: Panels: title, the load's value, how it is written, the simulation's value.
_PANELS: tuple[tuple[str, Value, str, Value | None], ...] = (
    (
        "round trips a message",
        lambda row: row["redis"]["requests_per_message"],
        "{:.1f}",
        lambda row: cost.per_message(row, "round_trips"),
    ),
    ("bytes a message (both ways)", bytes_each, "{:,.0f}", cost.bytes_each),
    ("server CPU a message (µs)", lambda row: row["redis"]["cpu_us_per_message"], "{:,.0f}", None),
    ("service CPU a message (ms)", lambda row: row["service_cpu_us_per_message"] / 1_000, "{:.1f}", None),
)


def _draw_cost(rows: list[Row], beside: Mapping[str, Row], page: Page) -> Canvas:
    names = ink.in_order(row["strategy"] for row in rows)
    by = {row["strategy"]: row for row in rows}
    columns = 1 if page.narrow else 2
    lines = -(-len(_PANELS) // columns)
    canvas = page.canvas((0.45 + 0.19 * len(names)) * lines)
    panels = canvas.subplots(lines, columns, squeeze=False).ravel()
    for axes, (title, value, form, simulated) in zip(panels, _PANELS, strict=True):
        counted = {n: simulated(beside[n]) for n in names if n in beside} if simulated is not None else {}
        bars(axes, names, {n: value(by[n]) for n in names}, form.format, beside=counted, label=title)
    return canvas


def _draw_latency(rows: list[Row], page: Page) -> Canvas:
    names = ink.in_order(row["strategy"] for row in rows)
    by = {row["strategy"]: row for row in rows}
    height = 0.75 + 0.24 * len(names)
    canvas = page.canvas(2 * height if page.narrow else height)
    shape = (2, 1) if page.narrow else (1, 2)
    for axes, (title, field) in zip(canvas.subplots(*shape).ravel(), _TIMES, strict=True):
        for place, name in enumerate(names):
            _spread(axes, place, [by[name][field].get(each) for each in _QUANTILES], name, names)
        axes.set_xscale("log")
        left, right = axes.get_xlim()
        axes.set_xlim(left, right * 6)  # room for the numbers
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
        axes.set_xlabel("ms (median … 99.9th percentile)")
        axes.set_title(title)
        strategies_down(axes, names)
    return canvas


def _spread(axes: Axes, place: int, values: list[float | None], name: str, names: list[str]) -> None:
    found = [max(value, 0.1) for value in values if value is not None]
    if not found:
        return
    pen = ink.pen_of(name, names)
    axes.plot([found[0], found[-1]], [place, place], color=pen.colour, linewidth=2)
    axes.plot(found[1:], [place] * len(found[1:]), color=pen.colour, marker="|", markersize=9, linestyle="none")
    axes.plot(found[:1], [place], color=pen.colour, marker=pen.marker, markersize=5)
    middle, high = found[0], found[min(2, len(found) - 1)]
    text = f"{middle:,.0f} … {high:,.0f}"
    axes.annotate(text, (found[-1], place), (7, 0), textcoords="offset points", va="center", fontsize=7.5)


def growth_figure(file: ResultFile) -> Figure | None:
    """How an add grows with its buffer, where the load measured it (`--compare`)."""
    micro = file.document.get("micro")
    if not micro:
        return None
    lengths = micro["usec_per_add_by_length"]
    return Figure(
        name="load-growth",
        title=growth_message(lengths),
        caption=(
            f"{file.document['machine']['server']}: microseconds of the server for one add, by the messages that are in its buffer "
            "already; the median of nine rounds; both axes logarithmic. `bare RPUSH` is a script of that one command. "
            f"{source(file, 'micro.usec_per_add_by_length', timed=False)}"
        ),
        draw=lambda page: _draw_growth(lengths, page),
    )


def growth_message(lengths: Mapping[str, Mapping[str, float]]) -> str:
    """How many times an add at the longest buffer costs what it costs at the shortest."""
    told, most, least = [], 0, 0
    for name in ink.in_order(lengths):
        by = {int(length): value for length, value in lengths[name].items()}
        least, most = min(by), max(by)
        told.append(f"{name} {by[most] / by[least]:,.1f} times" if by[least] else f"{name} unknown")
    return f"An add to a buffer of {most:,} messages costs, of what it costs at {least:,}: {listed(told)}"


def _draw_growth(lengths: Mapping[str, Mapping[str, float]], page: Page) -> Canvas:
    canvas = page.canvas(2.6)
    axes = canvas.subplots()
    names = ink.in_order(lengths)
    for name in names:
        pen = ink.pen_of(name, names)
        points = sorted((int(length), value) for length, value in lengths[name].items())
        axes.plot(
            [length for length, _ in points],
            [value for _, value in points],
            **pen.style,
            label=name,
            markersize=4,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("messages in the buffer")
    axes.set_ylabel("µs of the server an add")
    legend_below(canvas, axes, 3)
    return canvas
