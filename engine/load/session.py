"""A call of `bufferproof load`: one strategy or all of them, in rounds that take turns; then the document."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.buffer.catalogue import BUILT_IN
from engine.load.design import Design
from engine.load.micro import micro
from engine.load.result import document, ratios, row_of
from engine.load.run import Load, Outcome, Progress
from engine.load.services import nofile
from engine.load.workload import Arrival

#: In a comparison every strategy has so many rounds, each a part of the seconds: what disturbs one disturbs the others.
ROUNDS = 3

#: The arrivals of a round, by its seed and its seconds.
Arrivals = Callable[[str, float], Sequence[Arrival]]


@dataclass(frozen=True)
class Session:
    """What is loaded and how. `given`: settings of the engine by upper-case names, unscaled."""

    strategies: Sequence[str]
    arrivals: Arrivals
    workload: str
    rate: float
    seconds: float
    processes: int
    scale: float
    seed: int
    given: Mapping[str, str]
    command: str
    chaos: bool = False
    compare: bool = False
    redis_url: str | None = None

    def run(self, progress: Progress) -> dict[str, Any]:
        """Run it; the result document. Raises `UsageError`."""
        nofile()
        return asyncio.run(self._run(progress))

    async def _run(self, progress: Progress) -> dict[str, Any]:
        rounds = ROUNDS if self.compare else 1
        outcomes: dict[str, list[Outcome]] = {strategy: [] for strategy in self.strategies}
        for number in range(rounds):
            seed = f"{self.seed}/{number}"
            arrivals = self.arrivals(f"{seed}/arrivals", self.seconds / rounds)
            for strategy in self.strategies:  # the same arrivals for each
                design = Design(strategy, self.scale, self.given)
                load = Load(design, arrivals, self.seconds / rounds, self.processes, seed, self.redis_url, self.chaos)
                outcomes[strategy].append(await load.run(progress))
        rows = [row_of(each) for each in outcomes.values()]
        found = document(
            rows,
            command=self.command,
            seed=self.seed,
            settings=self._settings(),
            server_version=next(iter(outcomes.values()))[0].server_version,
        )
        if self.compare:
            progress("adds, one script at a time", 0, 0)
            found |= {"ratios": {"lease": ratios(rows)}, "micro": await micro()}
        return found

    def _settings(self) -> dict[str, Any]:
        design = Design(self.strategies[0], self.scale, self.given)
        return {
            "workload": self.workload,
            "rate_per_s": self.rate,
            "seconds": self.seconds,
            "processes": self.processes,
            "scale": self.scale,
            "window_ms": design.delay_ms,
            "processor_ms": [round(each * 1_000) for each in design.processor_seconds],
            "chaos": self.chaos,
            "given": dict(self.given),
        }


def all_strategies() -> list[str]:
    """The built-in strategies, in their order."""
    return list(BUILT_IN)
