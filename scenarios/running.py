"""One run, from a case to its history and its judgements."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.buffer.errors import UsageError
from engine.buffer.strategy import Strategy
from engine.exploration import Replay, Sampler, Scheduler
from engine.simulation.case import Case
from engine.simulation.files import is_design_file
from engine.simulation.server import RedisServer
from engine.simulation.world import World
from engine.verification import Judgement, Verdict, Violation, judge
from scenarios.selection import find_strategy

History = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Run:
    """What one run left."""

    history: History
    schedule: dict[str, int]
    stepped: bool
    commands: int


def run_case(case: Case, strategy: type[Strategy], scheduler: Scheduler, *, server: RedisServer | None = None) -> Run:
    """Run a case under a scheduler that has begun a run; on `server`, if one is given (an empty one)."""
    older = find_strategy(case.rollout_from) if case.rollout_from is not None else None
    world = World(case, strategy, scheduler, older=older, server=server)
    try:
        history = world.run()
    except SystemExit as error:
        raise UsageError(
            f"strategy {strategy.name} ends the process (SystemExit: {error}){_at(error)}: let it raise an error"
        ) from None
    return Run(history, world.choices.deviations, scheduler.stepped, world.server.commands)


def _at(error: SystemExit) -> str:
    """Where the design's own code stood when it said so."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if is_design_file(frame.filename)]
    return f" in {own[-1].name} ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""


def replay_case(
    case: Case,
    strategy: type[Strategy],
    schedule: Mapping[str, int],
    *,
    stepped: bool,
    server: RedisServer | None = None,
) -> Run:
    """Run a case again under a recorded schedule."""
    scheduler = Replay(schedule, stepped=stepped)
    scheduler.new_run(0)
    return run_case(case, strategy, scheduler, server=server)


def violations_of(judgements: list[Judgement]) -> list[Violation]:
    """All violations, in the order of the invariants."""
    return [v for judgement in judgements if judgement.verdict is Verdict.VIOLATED for v in judgement.violations]


def same_violation(history: History, invariant: str, cause: str | None) -> Violation | None:
    """The violation of this invariant with this cause, if the history has it."""
    for violation in violations_of(judge(history, only=(invariant,))):
        if violation.cause == cause:
            return violation
    return None


def scheduler_of(policy: str, seed: str, run: int) -> Scheduler:
    """The scheduler of run number `run`, begun. Raises `ValueError` if it needs others before it (see `Sampler`)."""
    return Sampler(policy, seed).begin(run)[1]
