"""What real servers showed: a load, real faults under a load, and whether the simulation's server is like them."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports.figures import chaos, conformance, ink, load
from reports.parts.simulated import Links, numbered
from reports.results import ResultFile, Results
from reports.sections import Section, Table, TableCell, cell
from reports.wording import counted, listed, source, sources

Row = Mapping[str, Any]
#: Titles of the ratios, by their names in the file.
_RATIOS = {
    "add_p50": "add, median",
    "add_p99": "add, p99",
    "add_p99_9": "add, p99.9",
    "errors_and_violations": "errors and violations",
    "requests_per_message": "round trips",
    "commands_per_message": "commands",
    "cpu_us_per_message": "server CPU",
    "service_cpu_per_message": "service CPU",
}


def loads(results: Results, _links: Links) -> list[Section]:
    """A section for each load without faults."""
    found = [file for file in results.of("load") if not file.document["settings"]["chaos"]]
    simulated = results.first("cost")
    return numbered([_load(file, simulated) for file in found], [file.name for file in found])


def _load(file: ResultFile, simulated: ResultFile | None) -> Section:
    figures = [load.latency_figure(file)]
    if any(row.get("redis") for row in file.document["rows"]):
        figures.append(load.cost_figure(file, simulated))
    growth = load.growth_figure(file)
    tables = [_happened(file)]
    if (file.document.get("ratios") or {}).get("lease"):
        tables.append(_ratios(file))
    return Section(
        "load",
        "On a real server",
        text="The same code in real time: service processes, a real server, bursts with the timing of real ones.",
        figures=tuple(each for each in (*figures, growth) if each is not None),
        tables=tuple(tables),
    )


def violated_of(rows: Sequence[Row]) -> list[str]:
    """The invariants that any row violates, as columns, but for those that the counts of messages say already."""
    found = dict.fromkeys(name for row in rows for name, count in row["violations"].items() if count)
    said = {"no_loss": "lost", "no_duplicate": "doubled"}
    return [
        name
        for name in found
        if name not in said or any(row["violations"].get(name, 0) != row[said[name]] for row in rows)
    ]


def _happened(file: ResultFile) -> Table:
    rows: list[Row] = file.document["rows"]
    return Table(
        name="load-judged",
        title=happened_message(rows),
        caption=(
            f"{load.circumstances(file)}. Judged by the invariants of the simulator, from the log of accepted messages "
            "and of effects. "
            f"{source(file, 'rows[].accepted, .lost, .doubled, .errors_total, .violations', timed=False)}"
        ),
        header=("strategy", "accepted", "lost", "answered twice", "calls not 2xx", *violated_of(rows)),
        rows=tuple(_row(row, violated_of(rows)) for row in _ordered(rows)),
        look="numbers",
    )


def _ordered(rows: Sequence[Row]) -> list[Row]:
    order = ink.in_order(row["strategy"] for row in rows)
    return sorted(rows, key=lambda row: order.index(row["strategy"]))


def happened_message(rows: Sequence[Row]) -> str:
    """Who violated how much, and who nothing."""
    told = [
        f"{row['strategy']} {row['violations_total']:,} violations, {row['lost']:,} of them lost messages"
        if row["lost"]
        else f"{row['strategy']} {row['violations_total']:,}"
        for row in _ordered(rows)
        if row["violations_total"]
    ]
    safe = [row["strategy"] for row in _ordered(rows) if not row["violations_total"]]
    accepted = max((row["accepted"] for row in rows), default=0)
    text = f"Of {accepted:,} messages, without any fault: "
    return text + "; ".join([*told, *([f"no violation of {listed(safe)}"] if safe else [])])


def _count(count: int) -> TableCell:
    return cell(f"{count:,}", "bad" if count else "good")


def _row(row: Row, columns: Sequence[str]) -> tuple[TableCell, ...]:
    return (
        cell(row["strategy"]),
        cell(f"{row['accepted']:,}"),
        _count(row["lost"]),
        _count(row["doubled"]),
        cell(f"{row['errors_total']:,}", "doubt" if row["errors_total"] else ""),
        *(_count(row["violations"].get(name, 0)) for name in columns),
    )


def _ratios(file: ResultFile) -> Table:
    ratios: Mapping[str, Mapping[str, float | None]] = file.document["ratios"]["lease"]
    columns = [name for name in _RATIOS if any(name in each for each in ratios.values())]
    return Table(
        name="load-ratios",
        title=ratios_message(ratios),
        caption=(
            "`lease` divided by each other design, measured in one call in rounds that took turns; below 1 is better "
            "for `lease`; "
            "a dash: the other has none. "
            f"{source(file, 'ratios.lease', timed=False)}"
        ),
        header=("lease against", *(_RATIOS[name] for name in columns)),
        rows=tuple(
            (cell(name), *(_ratio(ratios[name].get(column)) for column in columns)) for name in ink.in_order(ratios)
        ),
        look="numbers",
    )


def _ratio(value: float | None) -> TableCell:
    if value is None:
        return cell("–", "none")
    return cell(f"{value:.2f}", "good" if value < 0.95 else "doubt" if value > 1.05 else "")


def ratios_message(ratios: Mapping[str, Mapping[str, float | None]]) -> str:
    """The plan's promise, beside what was measured against `lock`."""
    mine = ratios.get("lock", {})
    slow, wrong = mine.get("add_p99"), mine.get("errors_and_violations")
    told = []
    if slow is not None:
        told.append(f"the 99th percentile of an add {_percent(slow)}")
    if wrong is not None:
        told.append(f"errors and violations {_percent(wrong)}")
    if not told:
        return "lease beside each other design"
    return f"The plan promised 30–40 % better and 90 % fewer errors; lease against lock: {', '.join(told)}"


def _percent(ratio: float) -> str:
    return f"{100 * abs(1 - ratio):.0f} % {'lower' if ratio < 1 else 'higher'}"


def under_faults(results: Results, _links: Links) -> list[Section]:
    """One section for all loads with faults."""
    found = [file for file in results.of("load") if file.document["settings"]["chaos"]]
    if not any(file.document["rows"] for file in found):
        return []
    return [Section("chaos", "Real faults under load", figures=(chaos.figure(found),), tables=(_struck(found),))]


def _struck(files: Sequence[ResultFile]) -> Table:
    rows = chaos.rows_of(files)
    kinds = list(dict.fromkeys(kind for row in rows for kind in row["faults"]))
    sums = {kind: sum(row["faults"].get(kind, 0) for row in rows) for kind in kinds}
    columns = violated_of(rows)
    return Table(
        name="chaos",
        title="What struck: " + (listed([f"{count:,} {kind}" for kind, count in sums.items()]) if sums else "nothing"),
        caption=(
            "Cuts are connections. A call not answered 2xx is sent again by the provider, as it must. "
            f"{sources(files, 'rows[].faults, .accepted, .lost, .doubled, .errors_total, .violations')}"
        ),
        header=("strategy", *kinds, "accepted", "lost", "answered twice", "calls not 2xx", *columns),
        rows=tuple(
            (
                cell(row["strategy"]),
                *(cell(f"{row['faults'].get(kind, 0):,}") for kind in kinds),
                *_row(row, columns)[1:],
            )
            for row in rows
        ),
        look="numbers",
    )


def conformances(results: Results, _links: Links) -> list[Section]:
    """A section for each run of the conformance machine."""
    found = results.of("conformance")
    sections = [
        Section(
            "conformance", "The simulation's server", figures=(conformance.figure(file),), tables=(_differences(file),)
        )
        for file in found
    ]
    return numbered(sections, [file.name for file in found])


def _differences(file: ResultFile) -> Table:
    met: Mapping[str, int] = file.document["known_differences_met"]
    unknown = file.document.get("unknown_difference")
    rows = [(cell(name), cell(f"{count:,}")) for name, count in sorted(met.items(), key=lambda each: -each[1])]
    if unknown:
        rows.append((cell(f"not in the table: {unknown}"), cell(1, "bad")))
    return Table(
        name="differences",
        title=(
            f"{counted(len(met), 'known difference was', 'known differences were')} met"
            + (", and one that is in no table" if unknown else "; none that is not in the table")
        ),
        caption=(
            "How often two replies or values differed in a way that is written down (`docs/conformance.md` says which "
            "of our claims "
            f"each touches). {source(file, 'known_differences_met, unknown_difference', timed=False)}"
        ),
        header=("difference", "times"),
        rows=tuple(rows),
        look="numbers",
    )
