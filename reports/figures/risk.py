"""Risk: how many messages a month a design is expected to lose and to answer twice in a given traffic."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reports.figures import ink
from reports.figures.drawing import Figure, Page
from reports.intervals import Estimate, clustered
from reports.results import ResultFile
from reports.wording import listed, runs_of, source

Row = Mapping[str, Any]
DAYS = 30


def figure(file: ResultFile) -> Figure:
    """The figure from a file of the kind `risk`."""
    document = file.document
    rows, per_day = document["rows"], document["messages_per_day"]
    return Figure(
        name="risk",
        title=message(rows, per_day),
        caption=(
            f"{per_day:,} messages a day for {DAYS} days, {document['bursts']}; no faults"
            f"{_failures(document)}. Share of lost messages among {runs_of(rows, 'messages')} messages of "
            f"{runs_of(rows)} bursts, times the traffic; bars: 95 % Wilson intervals, messages of one burst counted as "
            "sharing their fate. Another traffic: `bufferproof measure risk --profile FILE`. "
            f"{source(file, 'rows[].lost, .doubled, .messages, messages_per_day')}"
        ),
        draw=lambda page: _draw(rows, per_day, page),
    )


def _failures(document: Mapping[str, Any]) -> str:
    rate = (document.get("profile") or {}).get("processor_failure_rate", 0)
    return f" but the processor's, in {100 * rate:g} % of hand-overs" if rate else ""


def estimate(row: Row, field: str) -> Estimate:
    """The share of messages that are `lost` or `doubled`, with its interval."""
    return clustered(
        row[field],
        row["messages"],
        row["runs"],
        hits_squared=row[f"{field}_squared"],
        product=row[f"{field}_times_messages"],
        of_squared=row["messages_squared"],
    )


def monthly(row: Row, field: str, per_day: int) -> tuple[float, float, float]:
    """Expected messages a month: the estimate, the interval's ends."""
    found, times = estimate(row, field), per_day * DAYS
    return found.share * times, found.low * times, found.high * times


def told_monthly(row: Row, field: str, per_day: int) -> str:
    """Such as `12,300 (10,100–15,000)`, or `none seen, at most 1,200`."""
    middle, low, high = monthly(row, field, per_day)
    if not row[field]:
        return f"none seen (at most {rounded(high)})"
    return f"{rounded(middle)} ({rounded(low)}–{rounded(high)})"


def rounded(value: float) -> str:
    """Two figures are more than such an estimate has."""
    if value < 10:
        return f"{value:.1f}".rstrip("0").rstrip(".")
    digits = len(str(int(value))) - 2
    return f"{round(value / 10**digits) * 10**digits:,}"


def message(rows: list[Row], per_day: int) -> str:
    """Who loses how many a month, and who was not seen to."""
    by = {row["strategy"]: row for row in rows}
    names = ink.in_order(by)
    told = [
        f"{name} loses about {rounded(monthly(by[name], 'lost', per_day)[0])}" for name in names if by[name]["lost"]
    ]
    safe = [name for name in names if not by[name]["lost"]]
    text = f"Of {per_day * DAYS:,} messages a month, " + (", ".join(told) if told else "none was seen lost")
    return f"{text}; {listed(safe)} lost none of {by[safe[0]]['messages']:,} tried" if told and safe else text


def _draw(rows: list[Row], per_day: int, page: Page) -> Canvas:
    canvas = page.canvas(3.6 if page.narrow else 2.1)
    shape = (2, 1) if page.narrow else (1, 2)
    left, right = canvas.subplots(*shape, sharey=True).ravel()
    names = ink.in_order(row["strategy"] for row in rows)
    by = {row["strategy"]: row for row in rows}
    for axes, field, title in ((left, "lost", "lost a month"), (right, "doubled", "answered twice a month")):
        _bars(axes, [by[name] for name in names], field, per_day)
        axes.set_xlim(right=axes.get_xlim()[1] * (1.25 if page.narrow else 1))  # room for the numbers
        axes.set_title(f"messages {title}")
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.grid(False, axis="y")
    return canvas


def _bars(axes: Axes, rows: list[Row], field: str, per_day: int) -> None:
    names = [row["strategy"] for row in rows]
    most = 0.0
    for y, row in enumerate(rows):
        middle, low, high = monthly(row, field, per_day)
        most = max(most, high)
        pen = ink.pen_of(row["strategy"], names)
        axes.plot([low, high], [y, y], color=pen.colour, linewidth=2.2)
        if row[field]:
            axes.plot([middle], [y], color=pen.colour, marker=pen.marker, markersize=6)
            text = rounded(middle)
        else:
            axes.plot([0], [y], color=pen.colour, marker=pen.marker, markersize=6, clip_on=False)
            text = f"none seen, < {rounded(high)}"
        axes.annotate(text, (high, y), (4, 0), textcoords="offset points", va="center", fontsize=7.5)
    axes.set_xlim(0, most * 1.45 or 1)
    axes.set_xlabel(f"messages in {DAYS} days")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.locator_params(axis="x", nbins=5)
