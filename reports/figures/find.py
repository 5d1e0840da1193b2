"""How many runs each policy needs to find each planted bug."""

import statistics
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure as Canvas

from reports.figures import ink
from reports.figures.drawing import Figure, Page, legend_below
from reports.results import ResultFile
from reports.wording import counted, source

Row = Mapping[str, Any]
BASE = "random"
#: A bug is hard if `random` needs so many runs for it.
HARD = 100


def figure(file: ResultFile) -> Figure:
    """The figure from a file of the kind `find`."""
    rows = file.document["rows"]
    seeds = sorted({row["of"] for row in rows})
    told = f"{seeds[0]}–{seeds[-1]} seeds" if len(seeds) > 1 else counted(sum(seeds), "seed")
    return Figure(
        name="find",
        title=message(rows),
        caption=(
            "A known-good design with one mistake planted in it; how many runs until any invariant is violated: the median over "
            f"{told} (logarithmic), the bugs sorted by what `{BASE}` needs. Open: not every seed found it within "
            f"{file.document['cap']:,} runs, and such a seed counts as that many, so the median is too small if anything. "
            f"{source(file, 'rows[].median_runs, .found, .of', timed=False)}"
        ),
        draw=lambda page: _draw(rows, page),
    )


def policies_of(rows: list[Row]) -> list[str]:
    """The policies, `random` first."""
    names = sorted({row["policy"] for row in rows})
    return [name for name in names if name == BASE] + [name for name in names if name != BASE]


def by_policy(rows: list[Row]) -> dict[str, dict[str, Row]]:
    """Policy → bug → row."""
    found: dict[str, dict[str, Row]] = {name: {} for name in policies_of(rows)}
    for row in rows:
        found[row["policy"]][row["bug"]] = row
    return found


def message(rows: list[Row]) -> str:
    """What each policy makes of the bugs that are hard for `random`, and which were not found by anything."""
    by = by_policy(rows)
    bugs = {row["bug"] for row in rows}
    base = by.get(BASE, {})
    hard = sorted(bug for bug, row in base.items() if row["median_runs"] >= HARD)
    told = []
    for policy, found in by.items():
        ratios = [found[bug]["median_runs"] / base[bug]["median_runs"] for bug in hard if bug in found]
        if policy != BASE and ratios:
            told.append(
                f"{policy} finds them in {statistics.median(ratios):.2f} times as many (the median of the ratios)"
            )
    never = [bug for bug in bugs if not any(row["found"] for row in rows if row["bug"] == bug)]
    text = f"Of {len(bugs)} planted bugs {len(hard)} need {HARD} random runs or more"
    if told:
        text += f"; {', '.join(told)}"
    return text + (f"; {len(never)} found by none" if never else "; every one was found" if bugs else "")


_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
_COLOURS = (ink.MUTED, ink.NOTE, ink.BAD, ink.GOOD, "#cc79a7", ink.DOUBT, "#56b4e9", "#7f5539")


def _draw(rows: list[Row], page: Page) -> Canvas:
    by = by_policy(rows)
    needed = {bug: row["median_runs"] for bug, row in by.get(BASE, {}).items()}
    bugs = sorted({row["bug"] for row in rows}, key=lambda bug: (needed.get(bug, 0), bug))
    canvas = page.canvas(0.155 * len(bugs) + 0.9)
    axes = canvas.subplots()
    shift = 0.5 / max(1, len(by) - 1)
    for number, (policy, found) in enumerate(by.items()):
        colour, marker = _COLOURS[number % len(_COLOURS)], _MARKS[number % len(_MARKS)]
        axes.plot([], [], marker=marker, color=colour, linestyle="none", label=policy)
        for place, bug in enumerate(bugs):
            if bug in found:
                row = found[bug]
                axes.plot(
                    [max(1.0, row["median_runs"])],
                    [place + shift * number - 0.25],
                    marker=marker,
                    markersize=4.2,
                    color=colour,
                    markerfacecolor=colour if row["found"] == row["of"] else "none",
                )
    axes.axvline(HARD, color=ink.MUTED, linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_minor_formatter(lambda *_: "")
    axes.set_xlabel("runs until it is found (median)")
    size = 5.6 if page.narrow else 6.8
    axes.set_yticks(range(len(bugs)), [bug.removeprefix("planted_") for bug in bugs], fontsize=size)
    axes.set_ylim(len(bugs) - 0.4, -0.6)
    legend_below(canvas, axes, 3 if page.narrow else 6)
    return canvas
