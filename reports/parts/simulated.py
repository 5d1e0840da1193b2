"""What simulated time showed: verdicts, rates and costs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from reports.figures import boundary, cost, faults, matrix, retry, risk, steps, ttl
from reports.matrix_table import causes_table, matrix_table
from reports.results import ResultFile, Results
from reports.sections import Section, Table

Links = Mapping[str, str]


def numbered(sections: Sequence[Section], names: Sequence[str]) -> list[Section]:
    """Sections of files of one kind, side by side: from the second on, each is called after its file."""
    return [renamed(s, place, names[place]) if place else s for place, s in enumerate(sections)]


def renamed(section: Section, number: int, name: str) -> Section:
    """A section under another name, so that two files of a kind stand side by side."""
    return replace(
        section,
        id=f"{section.id}-{number + 1}",
        heading=f"{section.heading} ({name})",
        figures=tuple(replace(each, name=f"{each.name}-{number + 1}") for each in section.figures),
        tables=tuple(replace(each, name=f"{each.name}-{number + 1}") for each in section.tables),
        files_only=tuple(replace(each, name=f"{each.name}-{number + 1}") for each in section.files_only),
    )


def of_each(kind: str, make: Callable[[ResultFile], Section]) -> Callable[[Results, Links], list[Section]]:
    """A part with a section for each file of a kind."""

    def part(results: Results, _links: Links) -> list[Section]:
        found = results.of(kind)
        return numbered([make(file) for file in found], [file.name for file in found])

    return part


def verdicts(results: Results, links: Links) -> list[Section]:
    """The matrix of each file of the kind `verify` whose runs were sampled; those of a search are among the proofs."""
    found = [file for each in results.of("verify") if (file := sampled(each)) is not None]
    text = "Where a cell is coloured, its number leads to the smallest run that shows the violation, as a timeline."
    sections = [
        Section("matrix", "Verdicts", text=text, tables=_tables(file, links), files_only=(matrix.figure(file),))
        for file in found
    ]
    return numbered(sections, [file.name for file in found])


def _tables(file: ResultFile, links: Links) -> tuple[Table, ...]:
    others = causes_table(file, links)
    return (matrix_table(file, links),) if others is None else (matrix_table(file, links), others)


def sampled(file: ResultFile) -> ResultFile | None:
    """A file with those of its rows that are no search's; None if there are none."""
    rows = [row for row in file.document["rows"] if row.get("exhausted") is None]
    return ResultFile(file.name, file.kind, {**file.document, "rows": rows}) if rows else None


BOUNDARY = of_each("boundary", lambda f: Section("boundary", "The end of the window", figures=(boundary.figure(f),)))
RISK = of_each("risk", lambda f: Section("risk", "Risk in a month", figures=(risk.figure(f),)))
FAULTS = of_each("faults", lambda f: Section("faults", "Faults", figures=(faults.figure(f),)))
STEPS = of_each("steps", lambda f: Section("steps", "The steps of the plan", figures=(steps.figure(f),)))
RETRY = of_each(
    "retry_ttl_grid", lambda f: Section("retry-and-ttl", "Retry and TTL", figures=(ttl.figure(f), retry.figure(f)))
)
COST = of_each("cost", lambda f: Section("cost", "Cost", figures=(cost.figure(f), cost.growth_figure(f))))
