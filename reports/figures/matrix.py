"""The matrix of verdicts: strategies and scenarios in rows, invariants in columns, a count in each cell."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from reports.figures import ink
from reports.figures.drawing import Figure, Page, bare
from reports.results import ResultFile
from reports.wording import listed, source

Row = Mapping[str, Any]
INVARIANTS = (
    "no_loss",
    "no_duplicate",
    "batch_stable",
    "order",
    "one_at_a_time",
    "buffered",
    "available",
    "isolation",
    "integrity",
    "timely",
    "status_true",
    "no_leak",
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: `state` is violated, holds, unknown or none (it applied to no run)."""

    state: str
    violations: int = 0
    applicable: int = 0
    traces: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the matrix."""

    strategy: str
    scenario: str
    runs: int
    cells: tuple[Cell, ...]


def invariants_of(rows: list[Row]) -> list[str]:
    """The columns: the known invariants, then any others."""
    there = {row["invariant"] for row in rows}
    return [name for name in INVARIANTS if name in there] + sorted(there - set(INVARIANTS))


def lines_of(rows: list[Row]) -> list[Line]:
    """The lines, strategies in their order, scenarios in the file's."""
    grouped: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        grouped.setdefault((row["strategy"], row["scenario"]), {})[row["invariant"]] = row
    columns = invariants_of(rows)
    lines = []
    for strategy in ink.in_order(row["strategy"] for row in rows):
        for (name, scenario), mine in grouped.items():
            if name == strategy:
                runs = max(row["runs"] for row in mine.values())
                lines.append(Line(name, scenario, runs, tuple(_cell(mine.get(column)) for column in columns)))
    return lines


def _cell(row: Row | None) -> Cell:
    if row is None or not row["applicable_runs"]:
        return Cell("none")
    traces = {cause: name for cause, name in (row.get("causes") or {}).items() if name}
    if row.get("trace") and row["trace"] not in traces.values():
        traces = {"": row["trace"], **traces}
    return Cell(row["verdict"], row["violations"], row["applicable_runs"], tuple(traces.items()))


def message(rows: list[Row]) -> str:
    """Who violates how many invariants, and who none."""
    broken: dict[str, set[str]] = {name: set() for name in ink.in_order(row["strategy"] for row in rows)}
    undecided = set()
    for row in rows:
        if row["verdict"] == "violated":
            broken[row["strategy"]].add(row["invariant"])
        elif row["verdict"] == "unknown" and row["applicable_runs"]:
            undecided.add(row["strategy"])
    told = [f"{name} breaks {len(found)}" for name, found in broken.items() if found]
    safe = [name for name, found in broken.items() if not found and name not in undecided]
    open_ = [name for name, found in broken.items() if not found and name in undecided]
    count = len({row["invariant"] for row in rows})
    text = f"Of {count} invariants, " + (", ".join(told) if told else "none was seen broken")
    if safe:
        text += f"; no violation of {listed(safe)} was found"
    if open_:
        text += f"; undecided: {listed(open_)}"
    return text


def figure(file: ResultFile) -> Figure:
    """The matrix as a picture, from a file of the kind `verify`."""
    rows = file.document["rows"]
    return Figure(
        name="matrix",
        title=message(rows),
        caption=(
            "A number is in how many runs the invariant was violated, of those to which it applied; a dot is no violation in "
            "all of them; empty: it applied to none. Half of the runs are drawn from distributions and half are a search, so "
            "a count says how easily a violation is found, not how often it happens. "
            f"{source(file, 'rows[].verdict, .violations, .applicable_runs')}"
        ),
        draw=lambda page: _draw(lines_of(rows), invariants_of(rows), page),
    )


def _draw(lines: list[Line], columns: list[str], page: Page) -> Canvas:
    canvas = page.canvas(0.9 + 0.17 * len(lines))
    axes = canvas.subplots()
    bare(axes)
    size = 5.5 if page.narrow else 7
    at = {(x, y): cell for y, line in enumerate(lines) for x, cell in enumerate(line.cells)}
    bad = [place for place, cell in at.items() if cell.state == "violated"]
    held = [place for place, cell in at.items() if cell.state == "holds"]
    boxes = [Rectangle((x - 0.48, y - 0.44), 0.96, 0.88) for x, y in bad]
    axes.add_collection(PatchCollection(boxes, facecolor=ink.BAD, alpha=0.9, linewidth=0))
    axes.plot([x for x, _ in held], [y for _, y in held], ".", color=ink.GOOD, markersize=4)
    for (x, y), cell in at.items():
        if cell.state == "violated":
            axes.text(x, y, str(cell.violations), ha="center", va="center", fontsize=size, color="#ffffff")
        elif cell.state == "unknown":
            axes.text(x, y, "?", ha="center", va="center", fontsize=size, color=ink.DOUBT)
    for y, line in enumerate(lines):
        if y and line.strategy != lines[y - 1].strategy:
            axes.axhline(y - 0.5, color=ink.MUTED, linewidth=0.6)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_yticks(
        range(len(lines)), [f"{line.strategy} · {line.scenario} ({line.runs})" for line in lines], fontsize=size
    )
    rotation, align = (90, "center") if page.narrow else (35, "left")
    axes.set_xticks(range(len(columns)), columns, rotation=rotation, ha=align, fontsize=size + 0.5)
    axes.xaxis.tick_top()
    return canvas
