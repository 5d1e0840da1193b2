"""One state machine that drives the simulation's server and a real one through all that the engine does to Redis.

Its rules are the engine's own code: every built-in strategy's and every field design's receive, deliver, tick, cleanup and
background task, the idempotency store, the dead letters. Both sides do the same step with the same clock and the same
random stream; then answers, commands, batches and the contents of every key that was touched must be equal.
`stepping` says what a step is.
"""

import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from engine.buffer import Conversation, Message, Settings
from engine.buffer.catalogue import BUILT_IN
from engine.buffer.fenced_lock.locks import OwnedLock
from engine.buffer.idempotency import RedisIdempotencyStore
from engine.buffer.lease.dead_letters import DeadLetters
from scenarios.gallery import GALLERY
from scenarios.selection import find_strategy
from tests.integration.conformance.comparing import Unequal
from tests.integration.conformance.sides import GaveUp, Side
from tests.integration.conformance.stepping import Stepping, nothing

STRATEGIES = (*BUILT_IN, *GALLERY)
#: Two of them share the plan's keys, and one holds what a cluster reads as a hash tag.
CONVERSATIONS = [
    Conversation(instance_name=name, user_phone=phone)
    for name, phone in [("bot", "1:49"), ("bot:1", "49"), ("b{x}", "ü")]
]
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


class Machine(Stepping):
    """Each rule is a step of engine code, on both sides."""

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
        self._step(lambda side, functions: nothing(), everything=True)

    @rule()
    def forget_scripts(self) -> None:
        """SCRIPT FLUSH."""
        self._forget_scripts()

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
            self._step(lambda side, functions: functions[0].drain())

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
