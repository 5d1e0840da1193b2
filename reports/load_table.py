"""The table of a load's result document, for a terminal."""

from collections.abc import Callable
from typing import Any

_COLUMNS: tuple[tuple[str, str, Callable[[dict[str, Any]], Any]], ...] = (
    ("strategy", "{}", lambda row: row["strategy"]),
    ("accepted", "{:,}", lambda row: row["accepted"]),
    ("per s", "{}", lambda row: row["accepted_per_s"]),
    ("p50 ms", "{:.1f}", lambda row: row["add_ms"].get("p50")),
    ("p90", "{:.1f}", lambda row: row["add_ms"].get("p90")),
    ("p99", "{:.1f}", lambda row: row["add_ms"].get("p99")),
    ("p99.9", "{:.1f}", lambda row: row["add_ms"].get("p99_9")),
    ("answer p99", "{:.0f}", lambda row: row["answer_beyond_window_ms"].get("p99")),
    ("cmds", "{}", lambda row: row["redis"] and row["redis"]["commands_per_message"]),
    ("reqs", "{}", lambda row: row["redis"] and row["redis"]["requests_per_message"]),
    ("bytes", "{}", lambda row: row["redis"] and _bytes(row["redis"])),
    ("cpu µs", "{}", lambda row: row["redis"] and row["redis"]["cpu_us_per_message"]),
    ("errors", "{}", lambda row: row["errors_total"]),
    ("lost", "{}", lambda row: row["lost"]),
    ("doubled", "{}", lambda row: row["doubled"]),
    ("violations", "{}", lambda row: row["violations_total"]),
)


def _bytes(redis: dict[str, Any]) -> int:
    return round(float(redis["bytes_in_per_message"]) + float(redis["bytes_out_per_message"]))


def load_table(document: dict[str, Any]) -> str:
    """Rows of figures, then what was violated, the faults, and the ratios of a comparison."""
    cells = [[name for name, _, _ in _COLUMNS]]
    for row in document["rows"]:
        values = [(form, value(row)) for _, form, value in _COLUMNS]
        cells.append(["-" if value is None else form.format(value) for form, value in values])
    widths = [max(len(line[column]) for line in cells) for column in range(len(_COLUMNS))]
    lines = [
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]
    lines.append(
        "add latency from the intended send; answer: from the window's end; cmds, requests, bytes, CPU of Redis a message"
    )
    for row in document["rows"]:
        lines += _found(row)
    for name, against in document.get("ratios", {}).get("lease", {}).items():
        shown = ", ".join(f"{what} {value}" for what, value in against.items() if value is not None)
        lines.append(f"lease ÷ {name}: {shown}")
    if "micro" in document:
        lines += _micro(document["micro"])
    return "\n".join(lines)


def _found(row: dict[str, Any]) -> list[str]:
    lines = []
    if any(row["faults"].values()):
        faults = ", ".join(f"{count} {kind}" for kind, count in row["faults"].items())
        lines.append(f"{row['strategy']}: {faults}")
    if row["errors"]:
        errors = ", ".join(f"{count} × {what}" for what, count in row["errors"].items())
        lines.append(f"{row['strategy']}: calls not answered 2xx: {errors}")
    for name, count in row["violations"].items():
        lines.append(f"{row['strategy']} violates {name} {count} times, such as: {row['examples'][name]}")
    return lines


def _micro(micro: dict[str, Any]) -> list[str]:
    lines = ["server CPU of an add, µs, by the messages in the buffer:"]
    for name, by_length in micro["usec_per_add_by_length"].items():
        lines.append(f"  {name:<12}" + "".join(f"{length:>8}: {usec:<10}" for length, usec in by_length.items()))
    lines.append("adds through one pipelined connection (a second; a second of the server's CPU):")
    for name, rates in micro["pipelined"].items():
        lines.append(f"  {name:<12}{rates['adds_per_s']:>10,}{rates['adds_per_cpu_s']:>10,}")
    lines.append(
        f"lease ÷ bare RPUSH: CPU of an add {micro['lease_to_bare_cpu_per_add']},"
        f" pipelined throughput {micro['lease_to_bare_pipelined']}; lease from 10 to 1,000 messages:"
        f" {micro['growth_10_to_1000']['lease']} (lua: {micro['growth_10_to_1000']['lua']})"
    )
    return lines
