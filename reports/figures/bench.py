"""Benchmarks: ratios that were measured side by side, with how far their rounds were apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogLocator

from reports.figures import ink
from reports.figures.drawing import Figure, Page
from reports.results import ResultFile
from reports.wording import source


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure: what it is, in words of the file; the median, the least and the most of its rounds."""

    name: str
    median: float
    least: float
    most: float


def ratios_of(figures: Mapping[str, Any], prefix: str = "") -> Iterator[Ratio]:
    """All figures that have a median, a least and a most, by the path to them."""
    for name, value in sorted(figures.items()):
        path = f"{prefix} · {name}" if prefix else name
        if isinstance(value, Mapping) and all(_number(value.get(each)) for each in ("median", "min", "max")):
            yield Ratio(path, float(value["median"]), float(value["min"]), float(value["max"]))
        elif isinstance(value, Mapping):
            yield from ratios_of(value, path)


def numbers_of(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """All plain numbers, by the path to them; what belongs to a ratio is left to `ratios_of`."""
    for name, value in sorted(figures.items()):
        path = f"{prefix} · {name}" if prefix else name
        if isinstance(value, Mapping):
            if not all(_number(value.get(each)) for each in ("median", "min", "max")):
                yield from numbers_of(value, path)
        elif _number(value):
            yield path, float(value)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def figure(file: ResultFile) -> Figure | None:
    """The figure from a file of the kind `bench`; None if it has no ratio with rounds."""
    ratios = list(ratios_of(file.document["figures"]))
    if not ratios:
        return None
    return Figure(
        name="bench",
        title=message(ratios),
        caption=(
            "Each ratio is of two ways to do the same, measured side by side in interleaved rounds of one run: the "
            "median, and a line from "
            f"the least to the most of the rounds (logarithmic). {source(file, 'figures', timed=False)}"
        ),
        draw=lambda page: _draw(ratios, page),
    )


def message(ratios: Sequence[Ratio]) -> str:
    """The ratios in one sentence if they are few, else their number and the widest."""
    if len(ratios) <= 4:
        return "Measured side by side: " + "; ".join(f"{each.name} {each.median:.2f}" for each in ratios)
    high = max(ratios, key=lambda each: each.median)
    low = min(ratios, key=lambda each: each.median)
    return f"{len(ratios)} ratios, from {low.median:.2f} ({low.name}) to {high.median:.2f} ({high.name})"


def _draw(ratios: Sequence[Ratio], page: Page) -> Canvas:
    canvas = page.canvas(0.55 + 0.21 * len(ratios))
    axes = canvas.subplots()
    axes.axvline(1, color=ink.MUTED, linewidth=0.8)
    for place, each in enumerate(ratios):
        axes.plot([each.least, each.most], [place, place], color=ink.NOTE, linewidth=2)
        axes.plot([each.median], [place], "o", color=ink.NOTE, markersize=5)
        axes.annotate(
            f"{each.median:.2f}", (each.most, place), (5, 0), textcoords="offset points", va="center", fontsize=7
        )
    if all(each.least > 0 for each in ratios):
        axes.set_xscale("log")
        axes.set_xlim(min(*(each.least for each in ratios), 1) / 1.3, max(*(each.most for each in ratios), 1) * 1.6)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(lambda *_: "")
    size = 6 if page.narrow else 7.5
    axes.set_yticks(range(len(ratios)), [page.wrap(each.name, 0.42) for each in ratios], fontsize=size)
    axes.set_ylim(len(ratios) - 0.4, -0.6)
    axes.set_xlabel("ratio")
    axes.grid(False, axis="y")
    return canvas
