"""What loads on a real server add to the answers of the first screen."""

from collections.abc import Mapping
from typing import Any

from reports.figures import chaos, ink
from reports.figures.load import bytes_each
from reports.results import ResultFile, Results
from reports.wording import listed

Row = Mapping[str, Any]


def loads_of(results: Results, *, chaos_too: bool) -> list[ResultFile]:
    """The loads with faults, or those without."""
    return [file for file in results.of("load") if bool(file.document["settings"]["chaos"]) == chaos_too]


def lost_lines(results: Results) -> list[str]:
    """Who lost and doubled how many on a real server, without faults and with them."""
    lines = []
    calm = [row for file in loads_of(results, chaos_too=False)[:1] for row in file.document["rows"]]
    if calm:
        lines.append(f"On a real server, without any fault: {_told(calm)}")
    struck = chaos.rows_of(loads_of(results, chaos_too=True))
    if struck:
        lines.append(f"There, under kills, restarts and cut connections: {_told(struck)}")
    return lines


def _told(rows: list[Row]) -> str:
    by: dict[str, list[int]] = {}
    for row in rows:
        sums = by.setdefault(row["strategy"], [0, 0, 0])
        for place, field in enumerate(("lost", "doubled", "accepted")):
            sums[place] += row[field]
    told = []
    for name in ink.in_order(by):
        lost, doubled, accepted = by[name]
        if lost or doubled:
            twice = f" and answered {doubled} twice" if doubled else ""
            told.append(f"{name} lost {lost}{twice} of {accepted:,}")
    safe = [name for name in ink.in_order(by) if not any(by[name][:2])]
    if safe:
        told.append(f"{listed(safe)} lost none of {sum(by[name][2] for name in safe):,} and answered none twice")
    return "; ".join(told)


def cost_lines(results: Results, name: str) -> list[str]:
    """What a message of a strategy costs a real server, beside the others."""
    found = loads_of(results, chaos_too=False)
    by = {row["strategy"]: row for row in (found[0].document["rows"] if found else []) if row.get("redis")}
    if name not in by:
        return []
    others = [other for other in ink.in_order(by) if other != name]

    def beside(form: str, value: Any) -> str:
        told = ", ".join(f"{other} {form.format(value(by[other]))}" for other in others)
        return f"{form.format(value(by[name]))}" + (f" ({told})" if told else "")

    slow = beside("{:,.0f} ms", lambda row: row["add_ms"].get("p99") or 0)
    cpu = beside("{:,.0f} µs", lambda row: row["redis"]["cpu_us_per_message"])
    size = beside("{:,.0f}", bytes_each)
    return [
        f"On a real server the slowest hundredth of messages waits longer than {slow}",
        f"there a message takes {cpu} of the server's CPU and {size} bytes",
    ]
