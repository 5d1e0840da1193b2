"""Horizontal bars, one a strategy, each with its number: the panels of what something costs."""

from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes

from reports.figures import ink


def bars(
    axes: Axes,
    names: Sequence[str],
    values: Mapping[str, float],
    write: Callable[[float], str],
    *,
    beside: Mapping[str, float] | None = None,
    label: str = "",
) -> None:
    """Draw a panel: a bar for each name that has a value; `beside`: the same from another source, as an open diamond."""
    beside = beside or {}
    places = {name: place for place, name in enumerate(names)}
    most = max([*values.values(), *beside.values()], default=0.0) or 1.0
    for name, value in values.items():
        axes.barh([places[name]], [value], color=ink.pen_of(name, names).colour, height=0.62)
        end = max(value, beside.get(name, 0.0))
        axes.annotate(write(value), (end, places[name]), (6, 0), textcoords="offset points", va="center", fontsize=7.5)
    for name, value in beside.items():
        axes.plot([value], [places[name]], "D", markersize=5, markerfacecolor=ink.PAPER, markeredgecolor=ink.TEXT)
    axes.set_xlim(0, most * 1.27)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_title(label)
    strategies_down(axes, names)


def strategies_down(axes: Axes, names: Sequence[str]) -> None:
    """One strategy a line, the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(False, axis="y")
