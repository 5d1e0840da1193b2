"""The table of verdicts: strategy × scenario in rows, an invariant a column; and what it says in sentences."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

Document = Mapping[str, Any]
_SHORT = {
    "no_loss": "loss",
    "no_duplicate": "dupl",
    "batch_stable": "batch",
    "order": "order",
    "one_at_a_time": "one",
    "buffered": "buff",
    "available": "avail",
    "isolation": "isol",
    "integrity": "integ",
    "timely": "time",
    "status_true": "stat",
    "no_leak": "leak",
}
#: So many reasons are told.
_REASONS = 5
LEGEND = (
    "✓ held in every run it applied to · n% of the runs violated it · ? undecided · - did not apply\n"
    "columns: " + ", ".join(f"{short} = {name}" for name, short in _SHORT.items() if short != name)
)


def cells(document: Document) -> Iterator[tuple[str, str, int, list[str]]]:
    """The rows of the table: strategy, scenario, runs, and a cell for each invariant."""
    grouped: dict[tuple[str, str], dict[str, Any]] = {}
    for row in document["rows"]:
        grouped.setdefault((row["strategy"], row["scenario"]), {})[row["invariant"]] = row
    for (strategy, scenario), rows in grouped.items():
        runs = max(row["runs"] for row in rows.values())
        yield strategy, scenario, runs, [_cell(rows.get(invariant)) for invariant in _SHORT]


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None or not row["applicable_runs"]:
        return "-"
    if row["verdict"] == "violated":
        share = 100 * row["violations"] / row["applicable_runs"]
        return f"{share:.0f}%" if share >= 1 else "<1%"
    return "✓" if row["verdict"] == "holds" else "?"


def text_table(document: Document) -> str:
    """The table as plain text, for a pipe; with the legend and the summary."""
    header = ["strategy", "scenario", "runs", *_SHORT.values()]
    rows = [[strategy, scenario, str(runs), *each] for strategy, scenario, runs, each in cells(document)]
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]
    return "\n".join([*lines, "", LEGEND, "", summary(document)])


def rich_table(document: Document) -> "Table":
    """The table for a terminal."""
    from rich.table import Table
    from rich.text import Text

    names = labels([row["strategy"] for row in document["rows"]])
    table = Table(show_header=True, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0), box=None)
    # A narrow terminal breaks names, and no verdict. Strategies are headings, not a column, for paths are long.
    table.add_column("scenario", overflow="fold")
    for short in ("runs", *_SHORT.values()):
        table.add_column(short, justify="right", no_wrap=True)
    last = None
    for strategy, scenario, runs, each in cells(document):
        if strategy != last:
            # Texts, not strings: a strategy's path may hold what Rich would take for markup.
            table.add_row(Text(names[strategy], style="bold"))
        table.add_row(Text(f" {scenario}"), str(runs), *[_styled(cell) for cell in each])
        last = strategy
    table.caption = LEGEND
    return table


def labels(strategies: Iterable[str]) -> dict[str, str]:
    """What to call each strategy in a narrow place: of `path/to/file.py:Class` the class, unless two have that name."""
    short = {strategy: strategy.rpartition(":")[2] for strategy in dict.fromkeys(strategies)}
    often = Counter(short.values())
    return {strategy: name if often[name] == 1 else strategy for strategy, name in short.items()}


def _styled(cell: str) -> str:
    if cell.endswith("%"):
        return f"[bold red]{cell}[/]"
    return {"✓": "[green]✓[/]", "?": "[yellow]?[/]"}.get(cell, f"[dim]{cell}[/]")


def summary(document: Document) -> str:
    """A line for each strategy and invariant that was violated: where, how often, by which races."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    strategies = dict.fromkeys(row["strategy"] for row in document["rows"])
    for row in document["rows"]:
        if row["verdict"] == "violated":
            found.setdefault((row["strategy"], row["invariant"]), []).append(row)
    lines = []
    for strategy in strategies:
        undecided = _undecided(document, strategy)
        violated = [(invariant, rows) for (name, invariant), rows in found.items() if name == strategy]
        if not violated:
            decided = any(row["verdict"] == "holds" for row in document["rows"] if row["strategy"] == strategy)
            held = "no violation found in what was decided" if undecided else "no violation found"
            lines.append(f"{strategy}: {held if decided else 'nothing was decided'}")
        for invariant, rows in violated:
            where = ", ".join(f"{row['scenario']} ({row['violations']} of {row['applicable_runs']})" for row in rows)
            causes = sorted({cause for row in rows for cause in row["causes"]})
            why = f"; by {', '.join(causes)}" if causes else ""
            lines.append(f"{strategy} violates {invariant} in {where}{why}")
        lines += undecided
    runs = sum({(r["strategy"], r["scenario"]): r["runs"] for r in document["rows"]}.values())
    lines.append(f"{runs:,} runs, {document['runs_per_s']:,} runs/s, seed {document['seed']}")
    return "\n".join(lines)


def _undecided(document: Document, strategy: str) -> list[str]:
    """A line for each reason why runs of a strategy decided nothing, with where it came up."""
    where: dict[str, list[str]] = {}
    for each in document.get("coverage", ()):
        if each["strategy"] == strategy and each["undecided_because"]:
            reason = next(iter(each["undecided_because"])).partition("; ")[0]
            where.setdefault(reason, []).append(each["scenario"])
    return [
        f"{strategy}: runs were stopped and decide nothing in {', '.join(scenarios)}: {reason}"
        for reason, scenarios in list(where.items())[:_REASONS]
    ]
