"""One state machine that drives the simulation's server and a real one through all that the engine does to Redis.

Its rules are the engine's own code: every built-in strategy's and every field design's receive, deliver, tick, cleanup and
background task, the idempotency store, the dead letters. Both sides do the same step with the same clock and the same
random stream; then answers, commands, batches and the contents of every key that was touched must be equal.

*Time.* The simulation executes each command at the millisecond at which the server did. TTLs run out on both sides, on one by
the clock that is set, on the other by waiting (`TIME_SCALE` makes the plan's TTLs tens of milliseconds). A step never begins
within the uncertainty around an end of a TTL or a due time; one in which an end fell into it all the same, or whose writes took
the server long (it was not scheduled), is not judged: both sides are emptied and the step counts as discarded.
"""

import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from engine.buffer import Conversation, Message, Settings, Strategy
from engine.buffer.catalogue import BUILT_IN
from engine.buffer.fenced_lock.locks import OwnedLock
from engine.buffer.idempotency import RedisIdempotencyStore
from engine.buffer.lease.dead_letters import DeadLetters
from scenarios.gallery import GALLERY
from scenarios.selection import find_strategy
from tests.integration.conformance.comparing import Comparison, Unequal
from tests.integration.conformance.sides import FakeSide, GaveUp, RealSide, Side, StepRuntime, Trail

STRATEGIES = (*BUILT_IN, *GALLERY)
#: Two of them share the plan's keys, and one holds what a cluster reads as a hash tag.
CONVERSATIONS = [
    Conversation(instance_name=name, user_phone=phone)
    for name, phone in [("bot", "1:49"), ("bot:1", "49"), ("b{x}", "ü")]
]
#: How far the two sides' times may be apart: as much as a write may take on the server to be judged.
SPAN_US_MAX = 2_000
#: A write this near to an end, or to a time that a script has stored, may come out either way.
UNCERTAIN_US = 2_500
TTL_MS_APART = 3
LONGEST_WAIT_MS = 90

HOSTILE = ["a/b", "\\u0645", "", " ", "\0", "م", "👋🏽", '"', "</script>"]
NUMBERS = [1234567890123456789, 2**53 + 1, 1e300, 0.1, -0.0, 5e-324, 1e15]
texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(HOSTILE)
#: Beyond 64 bits fakeredis' `cjson` fails, and `lua` goes another way: a known difference, which has its own test.
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from(NUMBERS) | texts
data = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
conversations = st.sampled_from(CONVERSATIONS)
messages = st.builds(
    lambda c, n, t, d: Message(conversation=c, message_id=f"m{n}", text=t, data=d),
    conversations,
    st.integers(0, 7),
    texts,
    data,
)


#: A key's type, its value, and what is left of its TTL (ms).
Found = tuple[bytes, Any, int]


class Tally:
    """What all runs of the machine did."""

    def __init__(self) -> None:
        self.steps = self.discarded = self.waits = self.expired = 0
        self.commands: Counter[str] = Counter()
        self.comparison = Comparison()
        self.unequal: str | None = None


class Machine(RuleBasedStateMachine):
    """Each rule is a step of engine code, on both sides."""

    url: str
    tally: Tally

    def __init__(self) -> None:
        super().__init__()
        self.fake, self.real = FakeSide(), RealSide(self.url)
        self.comparison = self.tally.comparison
        self.comparison.tolerance_us = 2 * SPAN_US_MAX
        self._empty()
        self.forget_scripts()

    def teardown(self) -> None:
        """Everything that is left must be equal too."""
        self._step(lambda side, function: _nothing(), everything=True)
        self._empty()
        self.real.client.close()

    @initialize(name=st.sampled_from(STRATEGIES), scale=st.sampled_from([1.0, 0.01, 0.005]))
    def begin(self, name: str, scale: float) -> None:
        """A strategy and its times."""
        self._strategy = find_strategy(name)
        self._settings = Settings.fixed(
            getattr(self._strategy, "default_settings", {}),
            {"TIME_SCALE": scale, "SHARDS": 2, "BUFFER_DELAY_MS": 50 if scale == 1 else 8_000, "HAND_OVER_TIMEOUT_SECONDS": 1,
             "LEASE_MARGIN_SECONDS": 1, "RETRY_BACKOFF_MS": 20, "REPEAT_HORIZON_SECONDS": 1, "MAX_RETRY_ATTEMPTS": 1},
        )  # fmt: skip
        self._start()

    def _start(self) -> None:
        """New functions, with nothing in their memory; of the plan's too, whose buffers `lease` adopts."""
        self._functions = [
            {side.name: self._strategy(side.runtime(self._settings, number)) for side in self._sides}
            for number in range(2)
        ]
        self._stores = {
            side.name: RedisIdempotencyStore(
                side.runtime(self._settings, 0).redis, policy="at_least_once", work_ms=40, keep_ms=80
            )
            for side in self._sides
        }
        lua = find_strategy("lua")
        self._old = {side.name: lua(side.runtime(self._settings, 9)) for side in self._sides}

    # -- the rules ---------------------------------------------------------------------------------------------------

    @rule(message=messages, function=st.integers(0, 1))
    def receive(self, message: Message, function: int) -> None:
        """A webhook call."""
        self._step(lambda side, functions: functions[function].receive(message))

    @rule(burst=st.lists(messages, min_size=2, max_size=4), function=st.integers(0, 1))
    def receive_burst(self, burst: list[Message], function: int) -> None:
        """Webhook calls of several messages."""
        for message in burst:
            self.receive(message, function)

    @rule(burst=st.lists(messages, min_size=1, max_size=2), ms=st.integers(50, LONGEST_WAIT_MS), fails=st.booleans())
    def receive_and_deliver(self, burst: list[Message], ms: int, fails: bool) -> None:
        """Webhook calls, the delay, and the delivery."""
        for message in burst:
            self.receive(message, 0)
        self.wait(ms)
        self.deliver(burst[0].conversation, 1, fails)

    @rule(conversation=conversations, function=st.integers(0, 1), fails=st.booleans())
    def deliver(self, conversation: Conversation, function: int, fails: bool) -> None:
        """A delivery."""
        for side in self._sides:
            side.processor_fails = fails
        self._step(lambda side, functions: functions[function].deliver(conversation))

    @rule(function=st.integers(0, 1))
    def tick(self, function: int) -> None:
        """A poller or a sweep."""
        self._step(lambda side, functions: functions[function].tick())

    @rule(function=st.integers(0, 1))
    def cleanup(self, function: int) -> None:
        """The plan's cleanup."""
        self._step(lambda side, functions: functions[function].cleanup())

    @rule(function=st.integers(0, 1), which=st.integers(0, 3), fails=st.booleans())
    def background(self, function: int, which: int, fails: bool) -> None:
        """A task that a call has left behind."""
        waiting = [len(self._background(side, function)) for side in self._sides]
        if waiting[0] != waiting[1]:
            self.tally.unequal = self.tally.unequal or f"{self._strategy.name}: {waiting} tasks"
            raise Unequal(f"{waiting} tasks")
        if waiting[0]:
            for side in self._sides:
                side.processor_fails = fails
            self._step(lambda side, functions: self._background(side, function).pop(which % waiting[0]))

    @rule(ms=st.integers(0, LONGEST_WAIT_MS))
    def wait(self, ms: int) -> None:
        """Time passes."""
        self.tally.waits += 1
        time.sleep(ms / 1_000)
        self._step(lambda side, functions: _nothing(), everything=True)

    @rule()
    def forget_scripts(self) -> None:
        """SCRIPT FLUSH."""
        for side in self._sides:
            side.client.script_flush()
            side.times.clear()
            side.trail = Trail()

    @rule(
        key=st.sampled_from(["k1", "k2"]),
        fence=st.none() | st.integers(1, 3),
        act=st.sampled_from(["begin", "complete", "abandon", "commit"]),
    )
    def idempotency(self, key: str, fence: int | None, act: str) -> None:
        """The processor's store."""

        def call(side: Side, _: Any) -> Coroutine[Any, Any, Any]:
            store = self._stores[side.name]
            if act == "begin":
                return store.begin("c", key, fence)
            if act == "commit":
                return store.commit("c", key, fence, "effects", "effect")
            return store.complete(key) if act == "complete" else store.abandon(key)

        self._step(call)

    @rule(message=messages)
    def left_by_an_old_function(self, message: Message) -> None:
        """A buffer of the plan, for `lease` to adopt: on the next tick or delivery."""
        if self._strategy.name == "lease":
            self._step(lambda side, _: self._old[side.name].receive(message))
            self.tick(0)
            self.deliver(message.conversation, 0, False)

    @rule(fails=st.booleans())
    def drain(self, fails: bool) -> None:
        """All that is left, at once, as before a rollback."""
        if self._strategy.name == "lease":
            for side in self._sides:
                side.processor_fails = fails
            self._step(lambda side, functions: functions[0].drain())  # type: ignore[attr-defined]  # lease has it

    @rule(message=messages, drop=st.booleans())
    def fail_until_dead(self, message: Message, drop: bool) -> None:
        """Attempts used up, with the back-off between them; then the operator."""
        self.receive(message, 0)
        for _ in range(2):
            self.wait(LONGEST_WAIT_MS)
            self.deliver(message.conversation, 1, True)
        self.dead_letters(drop, 0)
        self.deliver(message.conversation, 0, False)

    @rule(ttl_ms=st.integers(20, 80))
    def renewed_lock(self, ttl_ms: int) -> None:
        """The lock of `fenced_lock`: taken, renewed, released, over and over."""

        async def act(side: Side) -> None:
            lock = OwnedLock(side.runtime(self._settings, 5), "lock", ttl_ms)
            await lock.take(0)
            with suppress(GaveUp):
                await lock.renew_until_released()
            await lock.release()

        self._step(lambda side, _: act(side))

    @rule(drop=st.booleans(), which=st.integers(0, 3))
    def dead_letters(self, drop: bool, which: int) -> None:
        """An operator puts a dead letter back, or drops it."""
        if self._strategy.name != "lease":
            return

        async def act(side: Side) -> Any:
            letters = DeadLetters(side.runtime(self._settings, 0).redis, self._settings)
            all_of_them = await letters.all()
            if not all_of_them:
                return None
            # Times of one millisecond would sort by their keys, which hold each side's own clock.
            letter = sorted(all_of_them, key=lambda letter: letter.message_ids)[which % len(all_of_them)]
            found = await letters.find(letter.key)
            assert found is not None
            return await letters.drop(letter) if drop else await letters.requeue(letter)

        self._step(lambda side, _: act(side))

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
            outcomes[side] = side.run(call(side, functions))
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
        found = []
        for item in self.fake.server.database._dict.values():
            found += _times_us(item.value)
            if item.expireat is not None:
                found.append(item.expireat * 1_000_000)
        return found

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


async def _nothing() -> None:
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
