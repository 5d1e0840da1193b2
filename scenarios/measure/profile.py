"""The traffic that measurements assume, and what they say of it: windows of latency, messages a day, whose bursts."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from engine.buffer.errors import UsageError, choices


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A traffic profile. Windows are `(min, max)` in milliseconds: hops log-uniform, the processor uniform."""

    messages_per_day: int = 10_000
    hop_ms: tuple[int, int] = (1, 600)
    processor_ms: tuple[int, int] = (1_000, 5_000)
    #: The share of hand-overs that the processor answers with an error, 0 to 1.
    processor_failure_rate: float = 0.0
    #: Shares of burst sizes, drawn within the window; empty: the bursts of `real_chat`.
    burst_sizes: tuple[tuple[int, float], ...] = ()
    #: Recorded messages whose bursts are used instead; None: none.
    workload: str | None = None

    def windows(self) -> dict[str, Any]:
        """The fields of a case."""
        return {"hop_ms": self.hop_ms, "processor_ms": self.processor_ms}

    def distributions(self) -> str:
        """What was drawn from what, for a caption."""
        low, high = (value / 1_000 for value in self.processor_ms)
        return (
            f"each hop log-uniform over {self.hop_ms[0]}–{self.hop_ms[1]} ms, "
            f"the processor uniform over {low:g}–{high:g} s"
        )

    def bursts(self) -> str:
        """Whose bursts they are, for a caption."""
        if self.workload is not None:
            return f"the bursts of {Path(self.workload).name}"
        if self.burst_sizes:
            shares = ", ".join(f"{size}: {share:g}" for size, share in self.burst_sizes)
            return f"bursts of these sizes (share): {shares}, each message uniform over 0–8 s after the first"
        return "real bursts (scenario real_chat: five public chats, 85,995 messages)"

    def to_json(self) -> dict[str, Any]:
        """This profile as a JSON object, without the folder of the workload."""
        plain: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        plain |= {"hop_ms": list(self.hop_ms), "processor_ms": list(self.processor_ms)}
        plain["burst_sizes"] = {str(size): share for size, share in self.burst_sizes}
        plain["workload"] = self.workload and Path(self.workload).name
        return plain


def read_profile(path: Path) -> Profile:
    """A profile from a JSON file with the names of `Profile`. Raises `UsageError` naming what is wrong."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"profile {path}: {error.strerror}: check the path") from None
    except (ValueError, RecursionError):
        raise UsageError(f"profile {path}: this is not JSON") from None
    if not isinstance(plain, dict):
        raise UsageError(f"profile {path}: give a JSON object")
    return profile_of(plain, f"profile {path}", path.parent)


def profile_of(plain: Mapping[str, Any], where: str, folder: Path = Path()) -> Profile:
    """A profile from its names and values, checked. Raises `UsageError`, which begins with `where`."""
    names = [each.name for each in fields(Profile)]
    for name in plain:
        if name not in names:
            raise UsageError(f"{where}: unknown name {name}: {choices(name, names)}")
    values = dict(plain)
    for name in ("hop_ms", "processor_ms"):
        if name in values:
            values[name] = _window(values[name], f"{where}: {name}")
    if "messages_per_day" in values and not _whole(values["messages_per_day"], 1):
        raise UsageError(f"{where}: messages_per_day is no whole number above 0")
    if "processor_failure_rate" in values and not _share(values["processor_failure_rate"]):
        raise UsageError(f"{where}: processor_failure_rate is no number from 0 to 1")
    if "burst_sizes" in values:
        values["burst_sizes"] = _sizes(values["burst_sizes"], f"{where}: burst_sizes")
    if values.get("workload") is not None:
        if not isinstance(values["workload"], str):
            raise UsageError(f"{where}: workload is no path")
        values["workload"] = str(folder / values["workload"])
    return Profile(**values)


def _window(value: Any, where: str) -> tuple[int, int]:
    if isinstance(value, list | tuple) and len(value) == 2 and _whole(value[0], 0) and _whole(value[1], 1):
        low, high = int(value[0]), int(value[1])
        if low <= high:
            return low, high
    raise UsageError(f"{where} is no window: give [min, max] in whole milliseconds")


def _sizes(value: Any, where: str) -> tuple[tuple[int, float], ...]:
    if not isinstance(value, Mapping) or not value:
        raise UsageError(f'{where}: give an object of shares by size, such as {{"1": 0.6, "2": 0.4}}')
    sizes = []
    for size, share in value.items():
        if not str(size).isdigit() or not 1 <= int(size) <= 100 or not _share(share):
            raise UsageError(f"{where}: {size!r}: {share!r} is refused: sizes are 1 to 100, shares 0 to 1")
        sizes.append((int(size), float(share)))
    if not sum(share for _, share in sizes) > 0:
        raise UsageError(f"{where}: all shares are 0")
    return tuple(sorted(sizes))


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _share(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 <= value <= 1
