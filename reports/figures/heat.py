"""Shares as a grid of cells: the darker, the more; the number stands in it, so that colour is never the only sign."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from reports.figures import ink
from reports.figures.drawing import bare
from reports.intervals import Estimate

Place = tuple[int, int]
"""Column and row."""


def grid(
    axes: Axes,
    cells: Mapping[Place, Estimate],
    columns: Sequence[str],
    rows: Sequence[str],
    *,
    size: float = 7.5,
    rotation: int = 0,
) -> None:
    """Draw the cells; one that is not there is left blank. `size` is that of the texts, in points."""
    bare(axes)
    boxes = [Rectangle((x - 0.48, y - 0.46), 0.96, 0.92) for x, y in cells]
    colours = [(*_rgb(ink.BAD if each.hits else ink.GOOD), _depth(each)) for each in cells.values()]
    axes.add_collection(PatchCollection(boxes, facecolor=colours, linewidth=0))
    for (x, y), each in cells.items():
        text = "–" if each.of == 0 else f"{100 * each.share:.0f}" if each.share >= 0.005 or not each.hits else "<1"
        weight = "bold" if each.hits else "normal"
        axes.text(x, y, text, ha="center", va="center_baseline", fontsize=size, fontweight=weight)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    align = "right" if 0 < rotation < 90 else "center"
    axes.set_xticks(range(len(columns)), columns, fontsize=size, rotation=rotation, ha=align)
    axes.set_yticks(range(len(rows)), rows, fontsize=size)


def _depth(each: Estimate) -> float:
    return 0.18 + 0.72 * each.share if each.hits else 0.1


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue
