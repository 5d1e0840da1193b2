"""The study: every design over volumes of messages a day, where each saturates, and the model against loads."""

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.load.capacity.day import Slice, day, part
from engine.load.capacity.measured import Measured, measured
from engine.load.capacity.model import Figures, Model, Platform
from engine.load.workload import Offsets

VOLUMES = (10_000, 100_000, 1_000_000, 10_000_000)
#: A prediction counts as right within this share of what was measured.
WITHIN = 0.25
Progress = Callable[[str, int, int], None] | None


@dataclass(frozen=True)
class Prices:
    """What is paid for, in one currency. Round numbers of the size that public price lists have: give your own."""

    per_million_invocations: float = 0.20
    per_gigabyte_second: float = 0.0000167
    function_gigabytes: float = 0.125
    per_million_requests: float = 2.0

    def of(self, figures: Mapping[str, float]) -> dict[str, float]:
        """The cost of one day, by what it is for."""
        parts = {
            "invocations": figures["invocations"] / 1e6 * self.per_million_invocations,
            "function_seconds": figures["function_seconds"] * self.function_gigabytes * self.per_gigabyte_second,
            "redis_requests": figures["redis_requests"] / 1e6 * self.per_million_requests,
        }
        return {name: round(value, 4) for name, value in {**parts, "total": sum(parts.values())}.items()}


def study(
    load: Mapping[str, Any],
    offsets: Offsets,
    *,
    volumes: Sequence[int] = VOLUMES,
    profile: tuple[float, ...],
    platform: Platform | None = None,
    prices: Prices | None = None,
    checks: Sequence[Mapping[str, Any]] = (),
    command: str = "",
    seed: int = 0,
    progress: Progress = None,
) -> dict[str, Any]:
    """The result document of kind `capacity` (`docs/capacity.md`). Raises `UsageError` for a load that lacks figures."""
    platform, prices = platform or Platform(), prices or Prices()
    designs = [measured(row, load["settings"]) for row in load["rows"]]
    rows: list[dict[str, Any]] = []
    for number, (design, volume) in enumerate((d, v) for d in designs for v in volumes):
        if progress:
            progress(f"{design.strategy}: {volume:,} messages a day", number, len(designs) * len(volumes))
        row = row_of(design, volume, offsets, profile, platform, prices, f"{seed}/{volume}")
        if (
            rows
            and rows[-1]["strategy"] == design.strategy
            and row["busiest_hour"]["instances_most"] >= platform.instances
        ):
            # Beyond its limit messages wait and share batches: what a message takes is known from below it.
            row["saturation"] = rows[-1]["saturation"]
        rows.append(row)
    return {
        "schema": 1,
        "kind": "capacity",
        "versions": {
            "bufferproof": importlib.metadata.version("bufferproof"),
            "simpy": importlib.metadata.version("simpy"),
        },
        "command": command,
        "seed": seed,
        "load": {"command": load["command"], "machine": load["machine"], "settings": load["settings"]},
        "profile": list(profile),
        "platform": asdict(platform),
        "prices": asdict(prices),
        "service_times": [service_times(design) for design in designs],
        "rows": rows,
        "checks": [check for document in checks for check in checks_of(designs, document, offsets, seed)],
    }


def service_times(design: Measured) -> dict[str, Any]:
    """What the load has measured of a design."""
    return {
        "strategy": design.strategy,
        "command_us": {name: round(value, 2) for name, value in sorted(design.command_us.items())},
        "request_us": round(design.request_us, 2),
        "function_step_us": round(design.function_step_us, 1),
        "hop_us": round(design.hop_us, 1),
        "messages_per_batch": design.messages_per_batch,
        "requests_per_message": design.requests_per_message,
        "modelled_requests_per_message": round(design.modelled_requests_per_message, 2),
    }


def row_of(
    design: Measured,
    volume: int,
    offsets: Offsets,
    profile: tuple[float, ...],
    platform: Platform,
    prices: Prices,
    seed: str,
) -> dict[str, Any]:
    """One design at one volume: the day's sums, and its busiest hour."""
    hours = [
        (each, Model(design, platform, f"{seed}/{each.hour}").run(each)) for each in day(volume, offsets, profile, seed)
    ]
    # A slice stands for its hour: what was counted in it is multiplied by how much longer the hour is.
    sums = {
        name: sum(getattr(figures, name) * 3_600 / each.seconds for each, figures in hours)
        for name in ("messages", "batches", "invocations", "cold_starts", "requests", "instance_seconds", "lost")
    }
    busiest, peak = max(hours, key=lambda hour: hour[0].rate_per_s)
    messages = max(1.0, sums["messages"])
    amounts = {
        "invocations": sums["invocations"],
        "function_seconds": sums["instance_seconds"],
        "redis_requests": sums["requests"],
    }
    return {
        "strategy": design.strategy,
        "messages_a_day": volume,
        "messages_per_batch": round(sums["messages"] / max(1.0, sums["batches"]), 2),
        "redis_requests_per_message": round(sums["requests"] / messages, 2),
        "function_seconds_per_message": round(sums["instance_seconds"] / messages, 2),
        "cold_start_share": round(sums["cold_starts"] / max(1.0, sums["invocations"]), 4),
        "lost_share": round(sums["lost"] / messages, 4),
        "cost_a_day": prices.of(amounts),
        "busiest_hour": at_rate(busiest, peak),
        "saturation": saturation(design, platform, sums, busiest, peak, volume),
    }


def at_rate(traffic: Slice, figures: Figures) -> dict[str, Any]:
    """The figures of one slice."""
    return {
        "messages_per_s": round(traffic.rate_per_s, 3),
        "redis_requests_per_s": round(figures.requests / traffic.seconds, 2),
        "server_busy_share": round(figures.server_busy / traffic.seconds, 5),
        "server_wait_ms": spread(figures.server_waits),
        "instances_most": figures.instances_most,
        "add_ms": spread(figures.adds),
        "answer_ms": spread(figures.answers),
    }


def saturation(
    design: Measured, platform: Platform, sums: Mapping[str, float], busiest: Slice, peak: Figures, volume: int
) -> dict[str, Any]:
    """The volume a day whose busiest hour would need all of the server, or all instances: what each message takes is known."""
    share = busiest.rate_per_s / volume  # messages a second in the busiest hour, for each message a day
    server_seconds = (peak.server_busy - peak.sweeps_busy) / max(1, peak.messages)
    left = 1 - peak.sweeps_busy / busiest.seconds
    instance_seconds = sums["instance_seconds"] / max(1.0, sums["messages"])
    limits = {
        "server": left / server_seconds / share if server_seconds else float("inf"),
        "functions": platform.instances / instance_seconds / share if instance_seconds else float("inf"),
    }
    first = min(limits, key=lambda name: limits[name])
    return {
        "first": first,
        "messages_a_day": round(limits[first], -3),
        "by_server": round(limits["server"], -3),
        "by_functions": round(limits["functions"], -3),
        "server_us_per_message": round(server_seconds * 1e6, 1),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and mean, in milliseconds."""
    if not values:
        return {}
    ordered = sorted(values)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1_000, 3)

    return {"p50": at(0.5), "p99": at(0.99), "mean": round(sum(ordered) / len(ordered) * 1_000, 3)}


def checks_of(
    designs: Sequence[Measured], document: Mapping[str, Any], offsets: Offsets, seed: int
) -> list[dict[str, Any]]:
    """The model on the machine of another load, at that load's rate, beside what was measured there."""
    settings, by_name = document["settings"], {design.strategy: design for design in designs}
    found = []
    for row in document["rows"]:
        design = by_name.get(row["strategy"])
        if design is None or row["redis"] is None:
            continue
        scale, rate = settings["scale"], row["accepted"] / row["seconds"]
        platform = Platform(
            instances=1_000_000,
            cold_start_seconds=0,
            cores=document["machine"]["cores"],
            hop_seconds=None,
            delay_seconds=settings["window_ms"] / 1_000,
            processor_seconds=(settings["processor_ms"][0] / 1_000, settings["processor_ms"][1] / 1_000),
            tick_seconds=10 * scale,
            tickers=settings["processes"],
        )
        traffic = part(rate, row["seconds"], offsets, f"{seed}/check", scale=scale)
        figures = Model(design, platform, f"{seed}/check").run(traffic)
        messages = max(1, figures.messages)
        pairs = {
            "redis_requests_per_message": (figures.requests / messages, row["redis"]["requests_per_message"]),
            "server_busy_share": (
                figures.server_busy / messages * rate, row["redis"]["cpu_us_per_message"] * rate / 1e6
            ),
            "messages_per_batch": (messages / max(1, figures.batches), row["messages_per_batch"]),
            "add_ms_p50": (spread(figures.adds)["p50"], row["add_ms"]["p50"]),
        }  # fmt: skip
        found.append(
            {
                "strategy": design.strategy,
                "rate_per_s": settings["rate_per_s"],
                "command": document["command"],
                **{name: compared(*pair) for name, pair in pairs.items()},
            }
        )
    return found


def compared(predicted: float, was: float) -> dict[str, Any]:
    """A prediction beside its measurement."""
    ratio = predicted / was if was else float("inf")
    return {
        "predicted": round(predicted, 4),
        "measured": round(was, 4),
        "ratio": round(ratio, 3),
        "within": abs(ratio - 1) <= WITHIN,
    }
