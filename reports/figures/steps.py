"""What each step of the plan changed, alone and together."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure as Canvas

from reports.figures.drawing import Figure, Page
from reports.figures.heat import grid
from reports.intervals import Estimate, percent, wilson
from reports.results import ResultFile
from reports.wording import listed, runs_of, source

Row = Mapping[str, Any]
_FIELDS = {"lossy_runs": "a message lost", "doubling_runs": "answered twice"}


def figure(file: ResultFile) -> Figure:
    """The figure from a file of the kind `steps`."""
    rows = file.document["rows"]
    return Figure(
        name="steps",
        title=message(rows),
        caption=(
            "A row is what is switched on (of the design named in the file's `strategy` and `settings`), a column what "
            f"happens; the number is the share of {runs_of(rows)} runs in which a message was lost (first) or answered twice "
            f"(second). {interval_note(rows)} {source(file, 'rows[].lossy_runs, .doubling_runs, .runs')}"
        ),
        draw=lambda page: _draw(rows, page),
    )


def interval_note(rows: list[Row]) -> str:
    """How far a share may be off, at the worst and at none."""
    runs = min((row["runs"] for row in rows), default=0)
    middle, none = wilson(runs // 2, runs), wilson(0, runs)
    return (
        f"95 % Wilson intervals: 0 of {runs} means at most {percent(none.high)}, "
        f"half of them {percent(middle.low)[:-2]}–{percent(middle.high)}."
    )


def share(rows: list[Row], variant: str, situation: str, field: str = "lossy_runs") -> Estimate | None:
    """The share of runs of one cell; None where it was not measured."""
    for row in rows:
        if row["variant"] == variant and row["situation"] == situation:
            return wilson(row[field], row["runs"])
    return None


def message(rows: list[Row]) -> str:
    """Which rows lose in no situation; and in how many the others do."""
    lossy: dict[str, set[str]] = {row["variant"]: set() for row in rows}
    for row in rows:
        if row["lossy_runs"]:
            lossy[row["variant"]].add(row["situation"])
    safe = [variant for variant, found in lossy.items() if not found]
    situations = len({row["situation"] for row in rows})
    best = min((len(found) for found in lossy.values() if found), default=0)
    told = f"Every step or combination of the plan still loses in at least {best} of {situations} situations"
    if any(not variant.startswith("lease") for variant in safe):
        told = (
            f"Of {len(lossy)} combinations, {len(lossy) - len(safe)} lose messages in some of {situations} situations"
        )
    return f"{told}; {listed(safe)} lost in none" if safe else told


def _draw(rows: list[Row], page: Page) -> Canvas:
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    situations = list(dict.fromkeys(row["situation"] for row in rows))
    height = 0.24 * len(variants) + 1.35
    canvas = page.canvas(2 * height if page.narrow else height + 0.2)
    shape = (2, 1) if page.narrow else (1, 2)
    panels = canvas.subplots(*shape, sharey=not page.narrow).ravel()
    for axes, (field, title) in zip(panels, _FIELDS.items(), strict=True):
        cells = {
            (situations.index(row["situation"]), variants.index(row["variant"])): wilson(row[field], row["runs"])
            for row in rows
        }
        grid(
            axes, cells, [_short(each) for each in situations], variants, size=6.8 if page.narrow else 7.3, rotation=90
        )
        axes.set_title(f"{title}\n(% of runs)" if page.narrow else f"{title} (% of runs)")
    return canvas


def _short(situation: str) -> str:
    middle = situation.rfind(" ", 0, len(situation) // 2 + 4)
    return f"{situation[:middle]}\n{situation[middle + 1 :]}"
