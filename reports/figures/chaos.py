"""Real faults under a real load: what was lost and doubled while processes, connections and the server were struck."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure as Canvas

from reports.figures import ink
from reports.figures.bars import bars
from reports.figures.drawing import Figure, Page
from reports.results import ResultFile
from reports.wording import listed, sources

Row = Mapping[str, Any]
_FIELDS = {"lost": "lost, of 1,000 accepted messages", "doubled": "answered twice, of 1,000 accepted messages"}


def rows_of(files: Sequence[ResultFile]) -> list[Row]:
    """The rows of all files, the strategies in their order; a second run of a strategy keeps the file's order."""
    rows: list[Row] = [row for file in files for row in file.document["rows"]]
    order = ink.in_order(row["strategy"] for row in rows)
    return sorted(rows, key=lambda row: order.index(row["strategy"]))


def figure(files: Sequence[ResultFile]) -> Figure:
    """The figure from files of the kind `load` that were made with `--chaos`."""
    rows = rows_of(files)
    return Figure(
        name="chaos",
        title=message(rows),
        caption=(
            "While messages came, service processes were killed (`SIGKILL`) or stopped, the server was restarted and connections were "
            "cut, at random moments; the log of accepted messages and of effects was judged afterwards. Shares of accepted messages; "
            "which faults struck is in the table. "
            f"{sources(files, 'rows[].lost, .doubled, .accepted, .faults')}"
        ),
        draw=lambda page: _draw(rows, page),
    )


def message(rows: Sequence[Row]) -> str:
    """Who lost or doubled how many, and who nothing, of how many."""
    found: dict[str, list[int]] = {}
    for row in rows:
        sums = found.setdefault(row["strategy"], [0, 0, 0])
        for place, field in enumerate(("lost", "doubled", "accepted")):
            sums[place] += row[field]
    told = [
        f"{name} lost {lost} and doubled {doubled} of {accepted:,}"
        for name, (lost, doubled, accepted) in found.items()
        if lost or doubled
    ]
    safe = [name for name, (lost, doubled, _) in found.items() if not lost and not doubled]
    if safe:
        count = sum(found[name][2] for name in safe)
        told.append(f"{listed(safe)} lost and doubled none of {count:,}")
    return "With kills, stops, restarts and cuts under load, " + "; ".join(told)


def _draw(rows: Sequence[Row], page: Page) -> Canvas:
    names = list(dict.fromkeys(row["strategy"] for row in rows))
    height = 0.45 + 0.24 * len(names)
    canvas = page.canvas(2 * height if page.narrow else height)
    shape = (2, 1) if page.narrow else (1, 2)
    for axes, (field, title) in zip(canvas.subplots(*shape).ravel(), _FIELDS.items(), strict=True):
        shares = {
            name: 1_000
            * sum(row[field] for row in rows if row["strategy"] == name)
            / max(1, sum(row["accepted"] for row in rows if row["strategy"] == name))
            for name in names
        }
        bars(axes, names, shares, lambda value: f"{value:.1f}" if value else "none", label=title)
    return canvas
