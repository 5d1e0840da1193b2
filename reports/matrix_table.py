"""The matrix of verdicts as a table of the page, whose violated cells lead to their timelines."""

from collections.abc import Mapping

from reports.figures.matrix import Cell, Line, figure, invariants_of, lines_of
from reports.results import ResultFile
from reports.sections import Table, TableCell, cell
from reports.wording import counted, source


def matrix_table(file: ResultFile, links: Mapping[str, str]) -> Table:
    """The table from a file of the kind `verify`."""
    picture = figure(file)
    rows = file.document["rows"]
    return Table(
        name=picture.name,
        title=picture.title,
        caption=picture.caption,
        header=("strategy", "scenario (runs)", *invariants_of(rows)),
        rows=tuple(_row(line, links) for line in lines_of(rows)),
        heads=2,
        look="matrix",
    )


def causes_table(file: ResultFile, links: Mapping[str, str]) -> Table | None:
    """The timelines that no cell of the matrix leads to, since it leads to another; None if there are none."""
    rows = []
    for line in lines_of(file.document["rows"]):
        for invariant, each in zip(invariants_of(file.document["rows"]), line.cells, strict=True):
            _, *others = [(cause, links[name]) for cause, name in each.traces if name in links] or [("", "")]
            rows += [
                (cell(line.strategy), cell(line.scenario), cell(invariant), cell(cause, href=href))
                for cause, href in others
            ]
    if not rows:
        return None
    return Table(
        name="causes",
        title=f"{counted(len(rows), 'more timeline')}: some cells of the matrix have more causes than the one they lead to",
        caption=source(file, "rows: causes", timed=False),
        header=("strategy", "scenario", "invariant", "cause"),
        rows=tuple(rows),
        heads=3,
    )


def _row(line: Line, links: Mapping[str, str]) -> tuple[TableCell, ...]:
    return (
        cell(line.strategy),
        cell(f"{line.scenario} ({line.runs})"),
        *(_shown(each, links) for each in line.cells),
    )


def _shown(each: Cell, links: Mapping[str, str]) -> TableCell:
    if each.state == "violated":
        href = next((links[name] for _, name in each.traces if name in links), None)
        causes = ", ".join(cause for cause, _ in each.traces if cause)
        hint = f"violated in {each.violations} of {each.applicable} runs" + (f", by {causes}" if causes else "")
        return cell(each.violations, "bad", href, hint)
    if each.state == "holds":
        return cell("·", "good", hint=f"no violation in {each.applicable} runs")
    if each.state == "unknown":
        return cell("?", "doubt", hint="undecided")
    return cell("", "none", hint="applied to no run")
