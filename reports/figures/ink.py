"""Colours, markers and lines: the same for a strategy in every figure, and told apart without colour too.

The palette is that of M. Okabe and K. Ito, "Color Universal Design" (2002), safe for the common kinds of colour blindness.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

#: Ink that follows the page's theme when a figure stands in the page; as files, figures are dark on white.
TEXT = "#1c1e21"
MUTED = "#5c6068"
GRID = "#dcdfe4"
PAPER = "#fefefe"

GOOD = "#009e73"
BAD = "#d55e00"
DOUBT = "#e69f00"
NOTE = "#0072b2"


@dataclass(frozen=True, slots=True)
class Pen:
    """How a strategy is drawn."""

    colour: str
    marker: str
    line: str | tuple[int, tuple[float, ...]]

    @property
    def style(self) -> dict[str, Any]:
        """What a line of this strategy is drawn with, for matplotlib's `plot`."""
        return {"color": self.colour, "marker": self.marker, "linestyle": self.line}


#: In the order in which strategies are shown.
PENS = {
    "baseline": Pen("#d55e00", "X", (0, (1, 1.2))),
    "lock": Pen("#e69f00", "s", (0, (5, 1.5))),
    "lua": Pen("#cc79a7", "^", (0, (5, 1.5, 1, 1.5))),
    "fenced_lock": Pen("#56b4e9", "D", (0, (3, 1))),
    "lease": Pen("#009e73", "o", "-"),
}
_OTHERS = (
    Pen("#0072b2", "v", "-"),
    Pen("#999999", "P", "--"),
    Pen("#b8a800", "*", "-."),
    Pen("#7f5539", "h", ":"),
)


def pen_of(strategy: str, among: Iterable[str] = ()) -> Pen:
    """The pen of a strategy; one that is not built in gets one by its place among the others."""
    if strategy in PENS:
        return PENS[strategy]
    others = [name for name in in_order(among) if name not in PENS]
    return _OTHERS[others.index(strategy) % len(_OTHERS)] if strategy in others else _OTHERS[0]


def in_order(strategies: Iterable[str]) -> list[str]:
    """Strategies in the order in which they are shown: the built-in ones, then the others by name."""
    names = set(strategies)
    return [name for name in PENS if name in names] + sorted(names - set(PENS))
