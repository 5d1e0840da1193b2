"""What is loaded: a strategy under settings whose every time is scaled by one factor, and what the judges must know of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.buffer.catalogue import load_strategy
from engine.buffer.settings import Settings

#: Scaled here because the engine takes them in whole seconds, of which a scaled run has at least one.
_WHOLE_SECONDS = ("hand_over_timeout_seconds", "delivery_timeout_seconds", "lease_margin_seconds")
#: Seconds that the processor of a design's world works (least, most), before scaling.
PROCESSOR_SECONDS = (1.0, 5.0)
#: A hop between two processes of one machine, with their waits for a CPU, in milliseconds: the judges' generous bound.
HOP_MS_MAX = 100
JUDGED = (
    "no_loss",
    "no_duplicate",
    "batch_stable",
    "order",
    "one_at_a_time",
    "buffered",
    "available",
    "isolation",
    "integrity",
    "timely",
)


@dataclass(frozen=True)
class Design:
    """One strategy, scaled. `given`: further settings by upper-case names, unscaled as a user writes them."""

    strategy: str
    scale: float
    given: Mapping[str, str]

    def settings(self, **more: Any) -> dict[str, Any]:
        """Settings for the service, upper case. Raises `UsageError` for one that is refused."""
        own = load_strategy(self.strategy).default_settings
        unscaled = Settings.load(own, self.given)
        scaled = {name.upper(): max(1, math.ceil(getattr(unscaled, name) * self.scale)) for name in _WHOLE_SECONDS}
        # Monitoring is a cost of the service, the same for every design, and is left out unless it is asked for.
        return {"ENABLE_BUFFER_MONITORING": "false", **self.given, **scaled, "TIME_SCALE": self.scale, **more}

    @property
    def unscaled(self) -> Settings:
        """The design's settings before scaling."""
        return Settings.load(load_strategy(self.strategy).default_settings, self.given)

    @property
    def delay_ms(self) -> float:
        """The window, scaled."""
        return self.unscaled.buffer_delay_ms * self.scale

    @property
    def webhook_timeout_seconds(self) -> float:
        """How long the provider waits for an answer, scaled, but never less than a second: that much is the machine's."""
        return max(1.0, self.unscaled.webhook_timeout_seconds * self.scale)

    @property
    def processor_seconds(self) -> tuple[float, float]:
        """How long the processor works (least, most), scaled."""
        return PROCESSOR_SECONDS[0] * self.scale, PROCESSOR_SECONDS[1] * self.scale

    @property
    def settle_limit_seconds(self) -> float:
        """The bound on the wait after the load, scaled, but a minute at least."""
        return max(60.0, self.unscaled.settle_limit_seconds * self.scale)

    def quiet_seconds(self, *, faults: bool) -> float:
        """If nothing reached the processor for this long, nothing will: every wait of a design is shorter.

        Two ticks, the plan's retries (39 s), and some seconds of the machine's; after faults also an abandoned lease and the
        longest back-off.
        """
        tick_seconds = (load_strategy(self.strategy).tick_ms or 0) / 1_000
        waits = 2 * tick_seconds + 3 * self.unscaled.buffer_delay_ms / 1_000 + 15
        if not faults:
            return waits * self.scale + 5
        settings = self.settings()
        lease = settings["HAND_OVER_TIMEOUT_SECONDS"] + settings["LEASE_MARGIN_SECONDS"]
        return float(lease) + (waits + self.unscaled.retry_backoff_ms_max / 1_000) * self.scale + 5

    def start_event(self, processes: int) -> dict[str, Any]:
        """The first event of the history, which tells the judges what was promised."""
        strategy = load_strategy(self.strategy)
        work = [round(seconds * 1_000) for seconds in self.processor_seconds]
        return {
            "strategy": self.strategy,
            "scenario": "load",
            "delay_ms": math.floor(self.delay_ms),
            "tick_ms": strategy.tick_ms and math.ceil(strategy.tick_ms * self.scale),
            "attempts": self.unscaled.max_retry_attempts + 1,
            "shared_keys": sorted(strategy.shared_keys),
            "functions": processes,
            "hop_ms": [0, HOP_MS_MAX],
            "processor_ms": work,
            "settle_limit_s": self.settle_limit_seconds,
            "judged": list(JUDGED),
        }
