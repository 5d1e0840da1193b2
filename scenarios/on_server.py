"""A trace on a real server: the same strategy, client and schedule; the commands are executed there, in the trace's order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.simulation.real_server import RealServer
from engine.verification import Violation, judge
from scenarios.batch import Plan
from scenarios.catalogue import SCENARIOS
from scenarios.expectations import known_verdicts
from scenarios.redaction import Redaction
from scenarios.replay import DIVERGED, HELD, REPRODUCED, strategy_of
from scenarios.running import History, replay_case, run_case, scheduler_of, violations_of
from scenarios.selection import find_strategy
from scenarios.trace import read_trace

#: How a race is searched for: in turns, so that each run stands for itself.
POLICIES = ("timed", "random")


@dataclass(frozen=True)
class ServerReplay:
    """What the real server showed. `detail` says how far its commands and replies were those of the simulation."""

    strategy: str
    scenario: str
    outcome: str
    detail: str
    commands: int
    history: list[dict[str, Any]] = field(repr=False)
    violations: list[Violation]
    #: How far from in-order it was is the trace's to say, not the server's.
    exceptions: tuple[str, ...] | None = None

    @property
    def exit_status(self) -> int:
        """1 the violation shows on the real server too, 0 nothing is violated there, 3 its run took another way."""
        return {REPRODUCED: 1, HELD: 0, DIVERGED: 3}[self.outcome]


def replay_on_server(path: Path | str, url: str, redact: bool = False) -> ServerReplay:
    """Run a trace on the server at `url`, which must be empty and is empty again afterwards. Raises `UsageError`."""
    trace = read_trace(Path(path))
    strategy = strategy_of(trace, Path(path))
    case, schedule, recorded = trace.case, trace.schedule, trace.history
    if redact:
        redaction = Redaction(case)
        case, schedule = redaction.case(case), redaction.schedule(schedule)
        recorded = replay_case(case, strategy, schedule, stepped=trace.stepped).history
    server = RealServer(url)
    try:
        real = replay_case(case, strategy, schedule, stepped=trace.stepped, server=server).history
        name = server.version
    finally:
        server.close()
    violations = violations_of(judge(real))
    same = [v for v in violations if v.invariant == trace.invariant and v.cause == trace.cause]
    elsewhere, told = compared(recorded, real)
    outcome = REPRODUCED if same else DIVERGED if elsewhere else REPRODUCED if violations else HELD
    return ServerReplay(
        trace.strategy,
        case.scenario,
        outcome,
        f"{name}: {told}",
        len(_executed(real)),
        real,
        [*same, *(v for v in violations if v not in same)],
    )


def compared(simulated: History, real: History) -> tuple[bool, str]:
    """Whether the commands were other ones, and a sentence on commands and replies."""
    ours, theirs = _executed(simulated), _executed(real)
    # A script's error is worded by its server; which command it was, and that it failed, is not.
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False), start=1):
        if (one["t"], one["function"], one["args"][0], "error" in one) != (
            *(other["t"], other["function"], other["args"][0]),
            "error" in other,
        ):
            return True, f"command {number} of {len(ours)} is another one ({shown(other)} in place of {shown(one)})"
    if len(ours) != len(theirs):
        return True, f"{len(theirs)} commands in place of {len(ours)}"
    differing = [
        number
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True), start=1)
        if "error" not in one and (one["reply"], one["args"]) != (other["reply"], other["args"])
    ]
    if not differing:
        return False, f"{len(ours)} commands in the trace's order, every reply as in the simulation"
    first = shown(theirs[differing[0] - 1])
    return False, f"{len(ours)} commands in the trace's order; {len(differing)} differ in bytes, the first is {first}"


def shown(event: dict[str, Any]) -> str:
    """A command as a person names it: who sent it, what, and to which key."""
    return f"{' '.join([event['function'], *event['args'][:2]])} at {event['t'] / 1000:.3f} s"


def _executed(history: History) -> list[dict[str, Any]]:
    return [event for event in history if event["event"] == "redis.executed"]


@dataclass(frozen=True)
class RaceOnServer:
    """A named race, found in the simulation by the run of that number, and run again on a real server."""

    strategy: str
    race: str
    scenario: str
    run: int
    shows: bool
    detail: str


def known_races(strategies: Sequence[str], *, certain: bool = False) -> dict[tuple[str, str], list[str]]:
    """Strategy and race → scenarios that show it: those that show it in every survey first, the main job's before others.

    `certain`: only races that every survey finds somewhere, and the scenarios where it does.
    """
    violated = known_verdicts()
    found: dict[tuple[str, str], list[tuple[bool, bool, str]]] = {}
    for strategy in strategies:
        for scenario, invariants in violated[strategy].items():
            for verdict in invariants.values():
                for race in verdict["certain_races"] if certain else verdict["races"]:
                    entry = (race not in verdict["certain_races"], not SCENARIOS[scenario].main, scenario)
                    found.setdefault((strategy, race), []).append(entry)
    return {key: list(dict.fromkeys(name for *_, name in sorted(entries))) for key, entries in found.items()}


def race_on_server(
    strategy: str, race: str, scenarios: Sequence[str], server: RealServer, *, runs: int, seed: int = 0
) -> RaceOnServer | None:
    """Search these scenarios for the race, `runs` each, and run it on the server. None: not found."""
    for scenario in scenarios:
        for number in range(runs):
            policy = POLICIES[number % 2]
            case = Plan(strategy=strategy, scenario=scenario, policy=policy, seed=seed).case(number)
            if case is None:
                continue
            found = run_case(case, find_strategy(strategy), scheduler_of(policy, f"{seed}/{number}", number))
            if race not in causes(found.history):
                continue
            server.reset()
            on_server = replay_case(
                case, find_strategy(strategy), found.schedule, stepped=found.stepped, server=server
            ).history
            shows = race in causes(on_server)
            return RaceOnServer(strategy, race, scenario, number, shows, compared(found.history, on_server)[1])
    return None


def causes(history: History) -> set[str]:
    """The named races behind a history's violations."""
    return {violation.cause for violation in violations_of(judge(history)) if violation.cause is not None}
