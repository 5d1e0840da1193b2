"""What searches showed: proofs within bounds, planted bugs, and campaigns."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports.figures import campaign, find, ink
from reports.parts.simulated import Links, numbered
from reports.results import ResultFile, Results
from reports.sections import Section, Table, TableCell, cell
from reports.wording import counted, listed, source, sources

Row = Mapping[str, Any]


def proofs(results: Results, links: Links) -> list[Section]:
    """One section for all searches that tried interleavings exhaustively, or set out to."""
    searches = [(file, rows) for file in results.of("verify") for rows in _searches_of(file)]
    if not searches:
        return []
    files = list({file.name: file for file, _ in searches}.values())
    order = ink.in_order(rows[0]["strategy"] for _, rows in searches)
    searches.sort(key=lambda each: order.index(each[1][0]["strategy"]))
    table = Table(
        name="proofs",
        title=proofs_message([rows for _, rows in searches]),
        caption=(
            "A small scenario, of which every interleaving was to be tried, within the bounds that are written down: "
            "instants, held "
            "hops, faults. A class is a set of interleavings that differ only in the order of steps that may be exchanged; one "
            f"of each is run. {sources(files, 'rows[].proof, .exhausted, .classes, .violations')}"
        ),
        header=("strategy", "scenario", "all tried", "classes", "violated", "what was searched"),
        rows=tuple(_proof(rows, links, file, len(files)) for file, rows in searches),
        heads=2,
    )
    return [Section("proofs", "Every interleaving of small scenarios", tables=(table,))]


def _searches_of(file: ResultFile) -> list[list[Row]]:
    """The rows of each search of a file: one search a strategy and scenario."""
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in file.document["rows"]:
        if row.get("exhausted") is not None:
            grouped.setdefault((row["strategy"], row["scenario"]), []).append(row)
    return list(grouped.values())


def violated_in(rows: Sequence[Row]) -> list[Row]:
    """The rows of a search that are violated."""
    return [row for row in rows if row["verdict"] == "violated"]


def proofs_message(searches: Sequence[Sequence[Row]]) -> str:
    """Of whom every interleaving was tried without a violation; whose violations were found; what was not finished."""
    done = [rows for rows in searches if rows[0]["exhausted"]]
    clean: dict[str, list[Sequence[Row]]] = {}
    for rows in done:
        if not violated_in(rows):
            clean.setdefault(rows[0]["strategy"], []).append(rows)
    told = []
    for name in ink.in_order(clean):
        classes = sum(rows[0].get("classes") or 0 for rows in clean[name])
        count = len(clean[name])
        told.append(f"{name} violates nothing in all {classes:,} classes of {counted(count, 'scenario')}")
    broken = [rows for rows in searches if violated_in(rows)]
    if broken:
        told.append(f"{listed(ink.in_order(rows[0]['strategy'] for rows in broken))} violate within the same bounds")
    cut = len(searches) - len(done)
    if cut:
        told.append(f"{cut} of {len(searches)} searches were stopped before the end and prove nothing")
    return "; ".join(told)


def _proof(rows: Sequence[Row], links: Links, file: ResultFile, files: int) -> tuple[TableCell, ...]:
    first = rows[0]
    bad = violated_in(rows)
    said = (first.get("proof") or "").rpartition(", ")[0]
    href = next((links[row["trace"]] for row in bad if row.get("trace") in links), None)
    names = ", ".join(f"{row['invariant']} ({row['violations']:,})" for row in bad)
    return (
        cell(first["strategy"]),
        cell(first["scenario"]),
        cell("yes", "good") if first["exhausted"] else cell("no", "doubt"),
        cell(f"{first.get('classes') or 0:,}"),
        cell(names, "bad", href) if bad else cell("nothing", "good"),
        cell(said + (f" (`{file.name}`)" if files > 1 else ""), "prose"),
    )


def finds(results: Results, _links: Links) -> list[Section]:
    """A section for each measurement of the policies."""
    found = results.of("find")
    return numbered(
        [Section("find", "Runs to find a planted bug", figures=(find.figure(file),)) for file in found],
        [file.name for file in found],
    )


def campaigns(results: Results, links: Links) -> list[Section]:
    """A section for each campaign."""
    found = results.of("campaign")
    return numbered([_campaign(file, links) for file in found], [file.name for file in found])


def _campaign(file: ResultFile, links: Links) -> Section:
    document = file.document
    shares = ", ".join(f"`{each['policy']}` {each['runs']:,}" for each in document["policies"] if each["runs"])
    faults = ", ".join(f"{kind} {count:,}" for kind, count in document["faults"].items() if count)
    text = (
        f"{document['runs']:,} runs with {document['messages']:,} messages, {document['completed']:,} of them completed, in "
        f"{document['sittings']} sitting{'s' if document['sittings'] != 1 else ''}. Runs by policy: {shares or 'none'}. "
        f"Faults that struck: {faults or 'none'}."
    )
    tables = [_strategies(file)]
    if document["failures"]:
        tables.append(_failures(file, links))
    return Section(
        "campaign",
        "Campaign",
        text=text,
        figures=(campaign.figure(file), campaign.growth_figure(file)),
        tables=tuple(tables),
    )


def _strategies(file: ResultFile) -> Table:
    rows = {row["strategy"]: row for row in file.document["strategies"]}
    new = sum(row["new"] for row in rows.values())
    return Table(
        name="campaign-strategies",
        title=f"{counted(new, 'failure is', 'failures are')} new" if new else "No failure is new",
        caption=(
            "A failure is a violation with its smallest schedule; those that come down to the same one are one. New: "
            "the strategy was not "
            "known to break that invariant. "
            f"{source(file, 'strategies[].runs, .messages, .coverage, .failures, .new', timed=False)}"
        ),
        header=("strategy", "runs", "messages", "points covered", "violations", "failures", "new"),
        rows=tuple(
            (
                cell(name),
                *(cell(f"{rows[name][field]:,}") for field in ("runs", "messages", "coverage")),
                cell(
                    f"{sum(rows[name]['violations'].values()):,}",
                    "bad" if sum(rows[name]["violations"].values()) else "good",
                ),
                cell(f"{rows[name]['failures']:,}"),
                cell(f"{rows[name]['new']:,}", "bad" if rows[name]["new"] else "good"),
            )
            for name in ink.in_order(rows)
        ),
        look="numbers",
    )


def smallest(failures: Sequence[Row]) -> list[Row]:
    """The smallest example of each violation by each cause, the new ones first, strategies in their order."""
    best: dict[tuple[str, str, str], Row] = {}
    for row in failures:
        key = (row["strategy"], row["invariant"], row.get("cause") or "")
        size = row.get("events") or 10**9
        if key not in best or size < (best[key].get("events") or 10**9):
            best[key] = row
    order = ink.in_order(row["strategy"] for row in failures)
    return sorted(best.values(), key=lambda row: (not row["new"], order.index(row["strategy"])))


def _failures(file: ResultFile, links: Links) -> Table:
    shown = smallest(file.document["failures"])
    return Table(
        name="campaign-failures",
        title=f"Violations by invariant and cause, each by its smallest run: {len(shown)}",
        caption=source(file, "failures[].strategy, .invariant, .cause, .scenario, .events, .explanation", timed=False),
        header=("strategy", "invariant", "race", "scenario", "events", "what happens"),
        rows=tuple(
            (
                cell(row["strategy"]),
                cell(row["invariant"], "bad" if row["new"] else "", links.get(row.get("trace") or "")),
                cell(row.get("cause") or "–"),
                cell(row["scenario"]),
                cell("–" if row.get("events") is None else row["events"]),
                cell(row["explanation"], "prose"),
            )
            for row in shown
        ),
        heads=1,
    )
