"""A figure on its way to paper: SVG and PNG as files, and SVG as a part of a page that follows the page's theme."""

import io
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reports.figures import ink

_RC: Any = {  # matplotlib types the names of its settings, which a dictionary of them cannot follow
    "font.family": "DejaVu Sans",  # it comes with matplotlib, so texts are as long on every machine
    "font.size": 8.5,
    "axes.edgecolor": ink.MUTED,
    "axes.labelcolor": ink.TEXT,
    "axes.titlecolor": ink.TEXT,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": ink.GRID,
    "grid.linewidth": 0.6,
    "xtick.color": ink.MUTED,
    "ytick.color": ink.MUTED,
    "xtick.labelcolor": ink.TEXT,
    "ytick.labelcolor": ink.TEXT,
    "text.color": ink.TEXT,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "path",
    # Widths of texts are found with hinting and drawn without: a label may be a little longer than the layout thinks.
    "figure.constrained_layout.w_pad": 0.09,
}
WIDE_IN, NARROW_IN = 8.6, 4.1


@dataclass(frozen=True, slots=True)
class Page:
    """How wide a figure may be. Narrow figures stack what wide ones put side by side."""

    width_in: float

    @property
    def narrow(self) -> bool:
        """Whether it is for a phone."""
        return self.width_in < 6

    def canvas(self, height_in: float) -> Canvas:
        """An empty canvas of this width."""
        return Canvas(figsize=(self.width_in, height_in), layout="constrained")

    def wrap(self, text: str, share: float = 1.0) -> str:
        """Text in lines that fit so much of the width, at the ordinary size."""
        return "\n".join(textwrap.wrap(text, max(10, int(self.width_in * share * 13.5))))


WIDE, NARROW = Page(WIDE_IN), Page(NARROW_IN)


@dataclass(frozen=True)
class Figure:
    """A picture with what it says. `draw` makes it for a page's width.

    `title` is the message, computed from the results; `caption` says what was counted, how often, from which file.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Page], Canvas]

    def svg(self, page: Page) -> str:
        """For a page: without a title, its ink in the theme's colours, its names its own."""
        with rc_context({**_RC, "svg.hashsalt": f"bufferproof {self.name}"}):
            text = _svg(_laid_out(self.draw(page)))
        return _themed(text, f"{self.name}-{'n' if page.narrow else 'w'}", self.title)

    def png(self, dpi: int = 80) -> bytes:
        """For a notebook: a picture with its title, dark on white."""
        with rc_context(_RC):
            canvas = self.draw(WIDE)
            _head(canvas, self.title)
            buffer = io.BytesIO()
            canvas.savefig(buffer, format="png", dpi=dpi, facecolor="#ffffff", metadata={"Software": None})
        return buffer.getvalue()

    def write(self, folder: Path) -> list[str]:
        """Write `NAME.svg` and `NAME.png`, with the title in them. Returns the names."""
        folder.mkdir(parents=True, exist_ok=True)
        with rc_context({**_RC, "svg.hashsalt": f"bufferproof {self.name}", "savefig.facecolor": "#ffffff"}):
            canvas = self.draw(WIDE)
            _head(canvas, self.title)
            _laid_out(canvas)
            (folder / f"{self.name}.svg").write_text(_svg(canvas), encoding="utf-8", newline="\n")
            canvas.savefig(folder / f"{self.name}.png", dpi=160, metadata={"Software": None})
        return [f"{self.name}.svg", f"{self.name}.png"]


def _laid_out(canvas: Canvas) -> Canvas:
    """Find the layout once and keep it: finding it is most of the work."""
    canvas.draw_without_rendering()
    canvas.set_layout_engine("none")
    return canvas


def _svg(canvas: Canvas) -> str:
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = re.sub(r"\n\s+", "\n", buffer.getvalue().decode("utf-8"))
    return _PLACES.sub(_rounded, text)


#: Where coordinates stand; a scale keeps all of its digits.
_PLACES = re.compile(r'\b(?:d|x|y|x1|x2|y1|y2)="[^"]*"|translate\([^)]*\)')
_DIGITS = re.compile(r"(\.\d\d)\d+")


def _rounded(found: re.Match[str]) -> str:
    """Coordinates to a hundredth of a point: a third of the bytes is digits that nobody sees."""
    return _DIGITS.sub(r"\1", found[0])


def _head(canvas: Canvas, title: str) -> None:
    lines = len(textwrap.wrap(title, 92))
    width_in, height_in = canvas.get_size_inches()
    canvas.set_size_inches(width_in, height_in + 0.1 + 0.19 * lines)
    canvas.suptitle("\n".join(textwrap.wrap(title, 92)), x=0.01, ha="left", fontsize=10.5, fontweight="bold")


#: Ink → the variable of the page's style sheet.
_THEME = {ink.TEXT: "var(--text)", ink.MUTED: "var(--muted)", ink.GRID: "var(--grid)", ink.PAPER: "var(--paper)"}


def _themed(svg: str, prefix: str, label: str) -> str:
    """An SVG that can stand in a page beside others: no header, no size of its own, names with a prefix."""
    body = svg[svg.index("<svg") :].strip()
    body = re.sub(r"\s*<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", body)
    body = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{prefix}-\1"', body)
    for colour, variable in _THEME.items():
        body = body.replace(colour, variable)
    head, rest = body.split(">", 1)
    head = re.sub(r'\s(width|height|version|xmlns:xlink)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{_escaped(label)}">{rest}'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def legend_below(canvas: Canvas, axes: Axes, columns: int) -> None:
    """The legend under the picture, where it can hide nothing."""
    handles, labels = axes.get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=columns, handlelength=3.2, columnspacing=1.4)


def bare(axes: Axes) -> None:
    """A grid of cells needs neither spines nor grid lines."""
    axes.grid(False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
