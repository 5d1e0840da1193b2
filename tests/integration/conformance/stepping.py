"""A step of the conformance machine: engine code on both servers, and the comparison of all that it did.

*Time.* The simulation executes each command at the millisecond at which the server did. TTLs run out on both sides, on one by
the clock that is set, on the other by waiting (`TIME_SCALE` makes the plan's TTLs tens of milliseconds). A step never begins
within the uncertainty around an end of a TTL or a due time; one in which an end fell into it all the same, or whose writes took
the server long (it was not scheduled), is not judged: both sides are emptied and the step counts as discarded.
"""

import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from engine.buffer import Settings, Strategy
from tests.integration.conformance.comparing import Comparison, Unequal
from tests.integration.conformance.sides import FakeSide, RealSide, Side, StepRuntime, Trail

#: How far the two sides' times may be apart: as much as a write may take on the server to be judged.
SPAN_US_MAX = 2_000
#: A write this near to an end, or to a time that a script has stored, may come out either way.
UNCERTAIN_US = 2_500
TTL_MS_APART = 3

#: A key's type, its value, and what is left of its TTL (ms).
Found = tuple[bytes, Any, int]


class Tally:
    """What all runs of the machine did."""

    def __init__(self) -> None:
        self.steps = self.discarded = self.waits = 0
        self.commands: Counter[str] = Counter()
        self.comparison = Comparison()
        self.unequal: str | None = None


class Stepping(RuleBasedStateMachine):
    """A machine's two sides, and what a step is."""

    url: str
    tally: Tally
    _strategy: type[Strategy]
    _settings: Settings
    _functions: list[dict[str, Any]]
    _old: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self.fake, self.real = FakeSide(), RealSide(self.url)
        self.comparison = self.tally.comparison
        self.comparison.tolerance_us = 2 * SPAN_US_MAX
        self._empty()
        self._forget_scripts()

    def teardown(self) -> None:
        """Everything that is left must be equal too."""
        self._step(lambda side, function: nothing(), everything=True)
        self._empty()
        self.real.client.close()

    # -- a step ------------------------------------------------------------------------------------------------------

    @property
    def _sides(self) -> tuple[FakeSide, RealSide]:
        return (self.fake, self.real)

    def _background(self, side: Side, function: int) -> list[Coroutine[Any, Any, Any]]:
        runtime = self._functions[function][side.name].runtime
        assert isinstance(runtime, StepRuntime)
        return runtime.background

    def _step(
        self, call: Callable[[Side, list[Strategy]], Coroutine[Any, Any, Any]], *, everything: bool = False
    ) -> None:
        self.tally.steps += 1
        began_us = self._wait_for_a_calm_moment()
        ends = self._ends_us()  # the step may overwrite them
        outcomes: dict[Side, Any] = {}
        trails: dict[Side, Trail] = {}
        for side in (self.real, self.fake):
            side.now_us = began_us
            side.trail = Trail()
            functions = [function[side.name] for function in getattr(self, "_functions", [])]
            for function in functions:
                function.runtime.slept = 0
            self.fake.executed = lambda: ends.extend(self._ttl_ends_us())  # what a step sets may end in it
            outcomes[side] = side.run(call(side, functions))
            self.fake.executed = lambda: None
            side.processor_fails = False
            trails[side], side.trail = side.trail, Trail()
            if side is self.real:
                times = self._hand_times_on()
        self.tally.commands.update(" ".join(filter(None, command[:2])) for command in trails[self.real].commands)
        keys = sorted(trails[self.fake].keys)
        if everything:
            theirs_all: Any = self.real.client.keys("*")
            times += self._hand_times_on()
            ours_all: Any = self.fake.client.keys("*")
            keys = sorted({*theirs_all, *ours_all})
        kinds = [self.fake.client.type(key) for key in keys]
        theirs = contents(self.real, keys, kinds)
        times += self._hand_times_on()
        ours = contents(self.fake, keys, kinds)
        self.fake.trail, self.real.trail = Trail(), Trail()  # to look is no part of the step
        ends += self._ends_us()
        if any(
            after - before > SPAN_US_MAX or any(_is_near(end, before, after) for end in ends) for before, after in times
        ):
            self.tally.discarded += 1
            self._empty()
            return
        try:
            self._compare(outcomes, trails, list(zip(keys, ours, theirs, strict=True)))
        except Unequal as error:
            timed = [
                f"{name} {key} at {before % 10**9} µs"
                for (name, _, key), (before, _) in zip(trails[self.real].commands, times, strict=False)
            ]
            # Not what the teardown finds: it looks at both sides once more.
            self.tally.unequal = self.tally.unequal or f"{self._strategy.name}, {timed}: {error}"
            raise

    def _compare(
        self, outcomes: dict[Side, Any], trails: dict[Side, Trail], found: list[tuple[bytes, Found, Found]]
    ) -> None:
        equal = self.comparison.equal
        self.comparison.same_commands(trails[self.fake].commands, trails[self.real].commands)
        equal("outcome", outcomes[self.fake], outcomes[self.real])
        # `lua` hands over what its scripts have decoded and encoded; no other design does.
        handed_over = self.comparison.same_values if self._strategy.name == "lua" else equal
        handed_over("handed over", trails[self.fake].handed_over, trails[self.real].handed_over)
        for key, one, other in found:
            equal(f"contents of {key!r}", one[:2], other[:2])
            if (one[2] < 0) != (other[2] < 0) or abs(one[2] - other[2]) > TTL_MS_APART:
                raise Unequal(f"TTL of {key!r}: {one[2]} ms in the simulation, {other[2]} ms on the server")

    @abstractmethod
    def _start(self) -> None:
        """New functions, with nothing in their memory."""

    def _forget_scripts(self) -> None:
        for side in self._sides:
            side.client.script_flush()
            side.times.clear()
            side.trail = Trail()

    def _hand_times_on(self) -> list[list[int]]:
        """The simulation's next writes are executed when the server's last ones were."""
        times, self.real.times = self.real.times, []
        self.fake.times = [list(each) for each in times]
        return times

    def _wait_for_a_calm_moment(self) -> int:
        """Nothing ends or is due within the uncertainty from now on. The server's time (µs)."""
        while True:
            self.real.client.ping()
            [[now_us, _]] = self._hand_times_on()
            near = [end for end in self._ends_us() if _is_near(end, now_us, now_us + SPAN_US_MAX)]
            if not near:
                return now_us
            time.sleep(max(0.0, max(near) - now_us + 2 * UNCERTAIN_US) / 1_000_000)

    def _ends_us(self) -> list[float]:
        """When each TTL ends, and the times that scripts have stored, by the simulation."""
        stored = [_times_us(item.value) for item in self.fake.server.database._dict.values()]
        return [*self._ttl_ends_us(), *(time for times in stored for time in times)]

    def _ttl_ends_us(self) -> list[float]:
        items = self.fake.server.database._dict.values()
        return [item.expireat * 1_000_000 for item in items if item.expireat is not None]

    def _empty(self) -> None:
        """Both sides are empty, and no function remembers anything."""
        for side in (self.real, self.fake):
            side.client.flushall()
            self._hand_times_on()
        for function in [*getattr(self, "_functions", []), getattr(self, "_old", {})]:
            for strategy in function.values():
                for coroutine in strategy.runtime.background:
                    coroutine.close()
        if hasattr(self, "_settings"):
            self._start()


async def nothing() -> None:
    """A step that only looks."""


def _is_near(end_us: float, from_us: float, to_us: float) -> bool:
    """Whether a time lies in this span, give or take the uncertainty."""
    return from_us - UNCERTAIN_US <= end_us <= to_us + UNCERTAIN_US


def _times_us(value: Any) -> list[float]:
    """Times that a stored value holds: a hash's fields, a sorted set's scores, an idempotency key's claim (ms)."""
    if type(value).__name__ == "ZSet":
        return [float(score) for _, score in value.items()]
    if type(value).__name__ == "Hash":
        return [float(field) for field in value.getall().values() if field.isdigit() and len(field) == 16]
    if isinstance(value, bytes) and value.isdigit() and len(value) == 13:
        return [int(value) * 1_000.0]
    return []


def contents(side: Side, keys: list[bytes], kinds: list[Any]) -> list[Found]:
    """Type, value and what is left of its TTL (ms) of each key; `kinds`: what is expected."""
    with side.client.pipeline(transaction=True) as pipe:
        for key, kind in zip(keys, kinds, strict=True):
            pipe.type(key)
            pipe.pttl(key)
            read(pipe, key, kind)
        pipe.ping()
        *found, _ = pipe.execute(raise_on_error=False)
    return [(found[i], found[i + 2], int(found[i + 1])) for i in range(0, len(found), 3)]


def read(pipe: Any, key: bytes, kind: Any) -> None:
    """Queue the command that reads a whole value of this type."""
    if kind == b"list":
        pipe.lrange(key, 0, -1)
    elif kind == b"zset":
        pipe.zrange(key, 0, -1, withscores=True)
    else:
        names = {b"string": "get", b"hash": "hgetall", b"set": "smembers", b"none": "exists"}
        getattr(pipe, names[kind])(key)
