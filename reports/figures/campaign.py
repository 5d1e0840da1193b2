"""A campaign: how what it covers grew, and how often each strategy broke each invariant."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure as Canvas

from reports.figures import ink
from reports.figures.drawing import Figure, Page
from reports.figures.heat import grid
from reports.figures.matrix import INVARIANTS
from reports.intervals import wilson
from reports.results import ResultFile
from reports.wording import counted, listed, source

Row = Mapping[str, Any]
#: The rounds that a campaign looks back on when it asks whether it still learns anything.
LAST_ROUNDS = 5


def growth_figure(file: ResultFile) -> Figure:
    """How coverage grew, from a file of the kind `campaign`."""
    document = file.document
    return Figure(
        name="campaign-growth",
        title=growth_message(document),
        caption=(
            "A point is a round, the last of which may be open: different orders of three events, faults, branches, races "
            f"and violations that were met, over all strategies. {source(file, 'growth, runs, rounds, coverage', timed=False)}"
        ),
        draw=lambda page: _draw_growth(document["growth"], page),
    )


def growth_message(document: Mapping[str, Any]) -> str:
    """Whether the last rounds still found new ground."""
    growth = document["growth"]
    text = f"{document['runs']:,} runs in {document['rounds']} rounds covered {document['coverage']:,} points"
    if len(growth) <= LAST_ROUNDS or not growth[-1][1]:
        return text
    share = (growth[-1][1] - growth[-1 - LAST_ROUNDS][1]) / growth[-1][1]
    return f"{text}; the last {LAST_ROUNDS} rounds added {100 * share:.1f} % of them"


def figure(file: ResultFile) -> Figure:
    """How often each strategy broke each invariant."""
    rows = file.document["strategies"]
    return Figure(
        name="campaign",
        title=message(rows),
        caption=(
            "Share of a strategy's runs in which the invariant was violated, in percent. The runs are a search with "
            "faults and features "
            "drawn anew for each batch, so a share says how easily a violation is found, not how often it happens. "
            f"{source(file, 'strategies[].runs, .violations', timed=False)}"
        ),
        draw=lambda page: _draw(rows, page),
    )


def message(rows: list[Row]) -> str:
    """Who broke what, in how many runs, and who nothing."""
    by = {row["strategy"]: row for row in rows}
    names = ink.in_order(by)
    broken = {name: sum(1 for count in by[name]["violations"].values() if count) for name in names}
    safe = [name for name in names if not broken[name]]
    told = [f"{name} breaks {counted(count, 'invariant')}" for name, count in broken.items() if count]
    if safe:
        told.insert(0, f"no violation of {listed(safe)} in {sum(by[name]['runs'] for name in safe):,} runs")
    return "Searched at random with swarms of faults: " + "; ".join(told)


def _draw(rows: list[Row], page: Page) -> Canvas:
    by = {row["strategy"]: row for row in rows}
    names = ink.in_order(by)
    there = {name for row in rows for name in row["violations"]}
    invariants = [name for name in INVARIANTS if name in there] + sorted(there - set(INVARIANTS)) or ["no_loss"]
    canvas = page.canvas(0.24 * len(names) + (1.1 if page.narrow else 0.75))
    axes = canvas.subplots()
    cells = {
        (x, y): wilson(min(by[name]["violations"].get(invariant, 0), by[name]["runs"]), by[name]["runs"])
        for x, invariant in enumerate(invariants)
        for y, name in enumerate(names)
    }
    grid(axes, cells, invariants, names, size=6.5 if page.narrow else 7.5, rotation=90 if page.narrow else 20)
    return canvas


def _draw_growth(growth: list[list[int]], page: Page) -> Canvas:
    canvas = page.canvas(2.3)
    axes = canvas.subplots()
    axes.plot([0, *(each[0] for each in growth)], [0, *(each[1] for each in growth)], color=ink.NOTE, linewidth=1.6)
    for which in (axes.xaxis, axes.yaxis):
        which.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("runs")
    axes.set_ylabel("points covered")
    return canvas
