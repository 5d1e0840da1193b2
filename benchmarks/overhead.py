"""What a simulated run costs, as a multiple of the same commands called one after another on fakeredis' own async client.

    python -m benchmarks.overhead
    python -m benchmarks.overhead --runs 60 --rounds 9 --json .bufferproof/bench-overhead.json

Runs of `boundary` (policy `timed`) are recorded: every command, when it was sent, by which function, when it was
executed, and its reply. Then four ways to do the same are timed side by side, in interleaved rounds of one process:

- *plain*: the very same commands, in the order in which the server executed them, one after another with `await` on one
  `fakeredis.FakeAsyncRedis` with Lua, in an ordinary asyncio loop. Its clock stands at each command's virtual time, so that
  scripts see what they saw; every reply is compared with the recorded one once. Emptying the server between two runs is
  not timed.
- *simulated*: the same commands through redis-py's unmodified client, connection and parser over the simulated link: the
  loop, the agenda, the scheduler (it draws as `timed` does, and gives what was recorded), the guard, and the history with
  its events. Each function sends its commands when it sent them, so all delays are the same and so are all replies
  (also compared). Left out, as in the first way: the strategy's own code, HTTP, the provider, the processor.
- *whole*: the whole run: *simulated*, and the strategy, httpx, the ASGI service, the provider, the processor.
- *judged*: the whole run and all judges.

CPU time of the process, garbage collection included.
"""

import argparse
import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import fakeredis
import redis.asyncio
from redis.exceptions import ResponseError

from benchmarks.figures import ratio, rounds, shown, write
from engine.exploration import Draw, Replay, Timed
from engine.simulation.case import Case
from engine.simulation.process import EPOCH_MS
from engine.simulation.program import Body, Program
from engine.simulation.server import Executed, RedisServer, ServerPool
from engine.simulation.session import SimSocket
from engine.verification import judge
from scenarios.batch import Plan
from scenarios.running import Run, run_case, scheduler_of
from scenarios.selection import find_strategy

#: The ways that are compared with *plain*.
WAYS = {
    "simulated": "link, loop, scheduler, history and client",
    "whole": "the whole run, with HTTP",
    "judged": "the whole run, judged",
}


@dataclass
class Sent:
    """One request of a recorded run: a command, or the commands of a transaction. Times are virtual milliseconds."""

    function: str
    commands: list[list[bytes]]
    result: Any  # of a transaction, the results of its commands
    sent_ms: int
    executed_ms: int
    replied_ms: int


@dataclass
class Recorded:
    """One recorded run."""

    number: int
    case: Case
    run: Run
    requests: list[Sent] = field(default_factory=list)


class RecordingServer(RedisServer):
    """The simulation's server, which keeps what it executes."""

    def __init__(self) -> None:
        super().__init__(ServerPool())
        self.executed: list[tuple[list[bytes], Any]] = []

    def execute(self, session: SimSocket, args: list[bytes]) -> Executed:
        """Execute, and keep the command and its result."""
        done = super().execute(session, args)
        self.executed.append((args, done.result))
        return done


class Recording(Replay):
    """Gives recorded numbers back, and draws from the streams of `timed` all the same: the drawing is part of the cost."""

    def __init__(self, schedule: dict[str, int], seed: str, number: int) -> None:
        super().__init__(schedule, stepped=False)
        self._timed = Timed(seed)
        self._timed.new_run(number)

    def number(self, draw: Draw) -> int:
        """The recorded number."""
        self._timed.number(draw)
        return super().number(draw)


class Commands:
    """The recorded runs of one strategy, and the ways to do the same again."""

    def __init__(self, strategy: str, scenario: str, runs: int) -> None:
        self._strategy = find_strategy(strategy)
        self._seed = f"0/{strategy}/{scenario}"
        plan = Plan(strategy=strategy, scenario=scenario, policy="timed", seed=0)
        cases = [(number, plan.case(number)) for number in range(runs)]
        self.count = 0
        self.runs = [self._record(number, case) for number, case in cases if case is not None]

    def _run(self, number: int, case: Case, server: RedisServer | None = None) -> Run:
        return run_case(case, self._strategy, scheduler_of("timed", self._seed, number), server=server)

    def _record(self, number: int, case: Case) -> Recorded:
        server = RecordingServer()
        run = self._run(number, case, server)
        recorded = Recorded(number, case, run)
        at: dict[tuple[str, int], int] = {(e["event"], e["command"]): e["t"] for e in run.history if "command" in e}
        executed = [event for event in run.history if event["event"] == "redis.executed"]
        queued: list[list[bytes]] | None = None
        for event, (args, result) in zip(executed, server.executed, strict=True):
            if args[0] == b"MULTI":
                queued = []
            elif queued is not None and args[0] != b"EXEC":
                queued.append(args)
            else:
                sent_ms = at["redis.sent", event["command"]]
                replied_ms = at.get(("redis.replied", event["command"]), 1 << 40)
                commands = [args] if queued is None else queued
                recorded.requests.append(Sent(event["function"], commands, result, sent_ms, event["t"], replied_ms))
                queued = None
        self.count += len(executed)
        return recorded

    # -- the four ways -----------------------------------------------------------------------------------------------

    def plain(self, *, check: bool = False) -> float:
        """One after another on fakeredis' client. Returns the CPU seconds of the commands alone."""
        with asyncio.Runner() as runner:
            return runner.run(self._plain(check))

    async def _plain(self, check: bool) -> float:
        client = fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer(version=(7, 2), server_type="redis"))
        await client.eval("return 1", 0)  # its Lua interpreter is made
        spent = 0.0
        with frozen_clock() as clock:
            for recorded in self.runs:
                await client.flushall()
                await client.script_flush()
                started = time.process_time()
                for request in recorded.requests:
                    clock[0] = (EPOCH_MS + request.executed_ms) / 1000
                    result = await ask(client, request)
                    if check and not same(result, request.result):
                        raise SystemExit(f"{request.commands}: plain {result!r}, simulated {request.result!r}")
                spent += time.process_time() - started
        await client.aclose()
        return spent

    def simulated(self, *, check: bool = False) -> int:
        """The same commands over the simulated link. Returns how many went otherwise, if that is to be checked."""
        differ = 0
        for recorded in self.runs:
            scheduler = Recording(recorded.run.schedule, self._seed, recorded.number)
            program = Program(bodies(recorded), scheduler, hop_ms=recorded.case.hop_ms)
            history = program.run()
            if check:
                differ += otherwise(recorded.run.history, history)
        return differ

    def whole(self) -> None:
        """The whole runs."""
        for recorded in self.runs:
            self._run(recorded.number, recorded.case)

    def judged(self) -> None:
        """The whole runs, judged."""
        for recorded in self.runs:
            judge(self._run(recorded.number, recorded.case).history)


def bodies(recorded: Recorded) -> list[Body]:
    """What each function sends, as chains of requests, each sent after the reply to the one before or at a later time."""
    of_function: dict[str, list[Sent]] = defaultdict(list)
    for request in sorted(recorded.requests, key=lambda each: each.sent_ms):
        of_function[request.function].append(request)
    names = [f"f{number}" for number in range(1, recorded.case.functions + 1)]
    return [partial(function, chains(of_function[name])) for name in names]


def chains(requests: Sequence[Sent]) -> list[list[Sent]]:
    """The requests of one function, each behind one that was answered before it was sent."""
    found: list[list[Sent]] = []
    for request in requests:
        chain = next((each for each in found if each[-1].replied_ms <= request.sent_ms), None)
        if chain is None:
            chain = []
            found.append(chain)
        chain.append(request)
    return found


async def function(its: list[list[Sent]], client: "redis.asyncio.Redis") -> None:
    """One function: all its chains at once."""
    if len(its) == 1:
        await send(client, its[0])
    elif its:
        await asyncio.gather(*(send(client, chain) for chain in its))


async def send(client: "redis.asyncio.Redis", chain: list[Sent]) -> None:
    """Send the requests of one chain, each at its time."""
    time_of = asyncio.get_running_loop().time
    for request in chain:
        if (wait := request.sent_ms / 1000 - time_of()) > 0:
            await asyncio.sleep(wait)
        await ask(client, request)


async def ask(client: "redis.asyncio.Redis", request: Sent) -> Any:
    """Send one request, and wait for its result."""
    commands = request.commands
    try:
        if len(commands) == 1:
            return await client.execute_command(*commands[0])  # type: ignore[no-untyped-call]  # redis-py's
        pipeline = client.pipeline(transaction=True)
        for command in commands:
            pipeline.execute_command(*command)
        return await pipeline.execute()
    except ResponseError as error:
        return error


@contextmanager
def frozen_clock() -> Iterator[list[float]]:
    """`time.time()` says what stands in the list."""
    now, real = [EPOCH_MS / 1000], time.time
    time.time = lambda: now[0]
    try:
        yield now
    finally:
        time.time = real


def same(plain: Any, simulated: Any) -> bool:
    """Whether two results are the same; of errors, whether both are."""
    if isinstance(plain, list) and isinstance(simulated, list):
        return len(plain) == len(simulated) and all(map(same, plain, simulated))
    if isinstance(plain, Exception) or isinstance(simulated, Exception):
        return isinstance(plain, Exception) and isinstance(simulated, Exception)
    return bool(plain == simulated or plain in (True, "OK"))  # redis-py turns some OKs into true


def otherwise(whole: Sequence[dict[str, Any]], alone: Sequence[dict[str, Any]]) -> int:
    """How many commands went otherwise than in the whole run: at another time or place, or with another reply.

    A function that sends two alike commands at once may get their delays exchanged. Exits with a line that says so if there
    are more or fewer commands.
    """
    kinds = ("t", "function", "args", "reply", "reads", "writes")
    one, two = ([[e[k] for k in kinds] for e in h if e["event"] == "redis.executed"] for h in (whole, alone))
    if len(one) != len(two):
        raise SystemExit(f"the whole run had {len(one)} commands, and its commands alone were {len(two)}")
    return sum(a != b for a, b in zip(one, two, strict=True))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategy", action="append", help="default: lease, lock and lua")
    parser.add_argument("--scenario", default="boundary")
    parser.add_argument("--runs", type=int, default=30, help="recorded runs")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    ratios = {}
    print(
        "times the cost of the same commands one after another on fakeredis' async client (median, least and most):\n"
    )
    for strategy in options.strategy or ("lease", "lock", "lua"):
        figures[strategy] = measure(Commands(strategy, options.scenario, options.runs), options.rounds)
        found = figures[strategy]
        print(f"{strategy} · {options.scenario}, {found['commands_per_run']:.1f} commands a run")
        if found["commands_otherwise"]:
            print(
                f"  (alone, {found['commands_otherwise']} of {found['commands']} commands went otherwise: see `otherwise`)"
            )
        for name, what in WAYS.items():
            print(f"  {what:<43}{shown(found[name])}")
            ratios[f"{strategy} · {options.scenario}: {what}, over its commands alone"] = found[name]
        print(f"  judged runs per second here                {found['judged_runs_per_cpu_second']:.0f}\n", flush=True)
    write(options.json, "overhead", ratios, figures)


def measure(commands: Commands, count: int) -> dict[str, Any]:
    """All ratios of one strategy."""
    commands.plain(check=True)
    differ = commands.simulated(check=True)
    plain: list[float] = []
    ways: dict[str, Callable[[], object]] = {
        "plain": lambda: plain.append(commands.plain()),
        "simulated": commands.simulated,
        "whole": commands.whole,
        "judged": commands.judged,
    }
    seconds = rounds(ways, count)
    seconds["plain"] = plain[1:]  # without what empties the server
    found: dict[str, Any] = {name: ratio(seconds, name, "plain") for name in WAYS}
    found["commands_otherwise"] = differ
    found["commands"] = commands.count
    found["commands_per_run"] = commands.count / len(commands.runs)
    found["judged_runs_per_cpu_second"] = round(len(commands.runs) / min(seconds["judged"]), 1)
    return found


if __name__ == "__main__":
    main()
