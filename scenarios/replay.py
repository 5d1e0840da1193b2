"""Replay: a trace is run again, exactly, and judged again."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.buffer.catalogue import BUILT_IN
from engine.buffer.errors import UsageError
from engine.buffer.strategy import Strategy
from engine.simulation.setting import settings_of
from engine.verification import Violation, digest, judge
from scenarios.exceptions import exceptions
from scenarios.redaction import Redaction
from scenarios.running import violations_of
from scenarios.selection import find_strategy
from scenarios.told import replayed
from scenarios.trace import Trace, first_difference, read_trace
from scenarios.whereabouts import explained

REPRODUCED, HELD, DIVERGED = "reproduced", "held", "diverged"


@dataclass(frozen=True)
class Replay:
    """What a replay showed. `events` are the conflicting steps of the recorded violation, if it showed again."""

    strategy: str
    scenario: str
    outcome: str
    detail: str
    history: list[dict[str, Any]] = field(repr=False)
    violations: list[Violation]
    exceptions: tuple[str, ...] = ()
    keys: list[dict[str, Any]] = field(default_factory=list, repr=False)

    @property
    def exit_status(self) -> int:
        """1 reproduced, 0 the run violates nothing (any more), 3 diverged."""
        return {REPRODUCED: 1, HELD: 0, DIVERGED: 3}[self.outcome]


def replay(path: Path | str, redact: bool = False) -> Replay:
    """Run a trace again. Raises `UsageError` if the file is no trace of a schema known here."""
    trace = read_trace(Path(path))
    strategy = strategy_of(trace, Path(path))
    told = replayed(trace.case, strategy, trace.schedule, stepped=trace.stepped, with_keys=True)
    run = told.run
    violations = violations_of(judge(run.history))
    same = [v for v in violations if v.invariant == trace.invariant and v.cause == trace.cause]
    difference = first_difference(trace.history, run.history)
    exact = difference is None and digest(run.history) == trace.digest
    if exact:
        outcome = REPRODUCED if violations else HELD
        detail = "the same history, byte for byte"
    else:
        outcome = DIVERGED
        detail = _divergence(run.history, difference)
        if not violations and trace.invariant is not None:
            detail += "; it violates nothing any more"
    history, shown = run.history, [*same, *(v for v in violations if v not in same)]
    if redact:
        redaction = Redaction(trace.case)
        told = replayed(
            redaction.case(trace.case),
            strategy,
            redaction.schedule(trace.schedule),
            stepped=trace.stepped,
            with_keys=True,
        )
        run = told.run
        history, shown = run.history, violations_of(judge(run.history))
        detail = redaction.text(detail)
    clauses = exceptions(told)
    shown = [explained(violation, told) for violation in shown]
    return Replay(trace.strategy, trace.case.scenario, outcome, detail, history, shown, clauses, told.keys)


def strategy_of(trace: Trace, path: Path) -> type[Strategy]:
    """The trace's strategy; a file is looked for from the working directory, then from the trace's folders upwards."""
    spec = trace.strategy
    file, colon, name = spec.rpartition(":")
    if colon and file.endswith(".py"):
        folders = [Path(), *path.absolute().parents]
        spec = next((f"{folder / file}:{name}" for folder in folders if (folder / file).is_file()), spec)
    try:
        found = find_strategy(spec)
    except UsageError as error:
        if spec in BUILT_IN:
            raise
        raise UsageError(f"trace {path}: its strategy cannot be loaded: {error}") from None
    try:
        settings_of(found, trace.case.settings)
    except UsageError as error:
        raise UsageError(f"trace {path}: {error}") from None
    return found


def _divergence(history: list[dict[str, Any]], index: int | None) -> str:
    if index is None:
        return (
            "the history is the recorded one, but the digest in the file is not its digest: the file has been changed"
        )
    if index >= len(history):
        return "the history ends sooner or later than the recorded one: the program has changed since"
    event = history[index]
    who = f" of {event['function']}" if "function" in event else ""
    return f"event {index} ({event['event']}{who} at {event['t'] / 1000:.3f} s) is not the recorded one: the program has changed since"
