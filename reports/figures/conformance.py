"""The simulation's server beside a real one: how many steps of the same code gave the same on both."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure as Canvas

from reports.figures import ink
from reports.figures.drawing import Figure, Page
from reports.results import ResultFile
from reports.wording import source


def figure(file: ResultFile) -> Figure:
    """The figure from a file of the kind `conformance`."""
    document = file.document
    return Figure(
        name="conformance",
        title=message(document),
        caption=(
            "One state machine drives every design's own code on fakeredis in virtual time and on a real server, and "
            "compares replies, "
            "commands, and value and TTL of each key that a step touched. How often each command and script was compared. "
            f"{source(file, 'steps, discarded, commands', timed=False)}"
        ),
        draw=lambda page: _draw(document["commands"], page),
    )


def message(document: Mapping[str, Any]) -> str:
    """How many steps, on which server, and whether anything differed."""
    unknown = document.get("unknown_difference")
    found = f"they differ: {unknown}" if unknown else "no difference beyond the known ones"
    commands = sum(document["commands"].values())
    return (
        f"{document['steps']:,} steps and {commands:,} commands on the simulation's server and on "
        f"{document['versions']['server']}: {found}"
    )


def _draw(commands: Mapping[str, int], page: Page) -> Canvas:
    ordered = sorted(commands.items(), key=lambda each: (-each[1], each[0]))
    columns = 1 if page.narrow else 3
    lines = -(-len(ordered) // columns) or 1
    canvas = page.canvas(0.17 * lines * columns / columns + 0.35 if not page.narrow else 0.16 * lines + 0.35)
    panels = canvas.subplots(1, columns, squeeze=False, sharex=True).ravel()
    for place, axes in enumerate(panels):
        mine = ordered[place * lines : (place + 1) * lines]
        axes.barh(range(len(mine)), [count for _, count in mine], color=ink.NOTE, height=0.6)
        for y, (_, count) in enumerate(mine):
            axes.annotate(f"{count:,}", (count, y), (3, 0), textcoords="offset points", va="center", fontsize=6.5)
        axes.set_yticks(range(len(mine)), [name for name, _ in mine], fontsize=6.5)
        axes.set_ylim(lines - 0.5, -0.5)
        axes.set_xscale("log")
        axes.set_xticks([])
        axes.set_xticks([], minor=True)
        axes.spines["bottom"].set_visible(False)
        axes.grid(False)
    if ordered:
        panels[0].set_xlim(0.8, ordered[0][1] * 8)
    return canvas
