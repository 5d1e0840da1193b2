"""Stepped time: what is pending at an instant happens in any order, nothing is early, and nothing due is passed by."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest

from engine.buffer import Message, Receipt, Strategy
from engine.exploration import Draw, Pending, RandomWalk, Replay
from engine.simulation.world import World
from tests.simulation.steering import Event, Steered, case_of, events, notes, run, sending

RACE = case_of(sending(0, "a"), sending(0, "b"), functions=2, hop_ms=(1, 5))


class ReadsAndWrites(Strategy):
    """Appends to a key by a read and a write: a race of four commands."""

    name = "reads_and_writes"

    async def receive(self, message: Message) -> Receipt:
        before: Any = await self.runtime.redis.get("key")
        await self.runtime.redis.set("key", (before or b"") + message.text.encode())
        return Receipt()


class Naps(Strategy):
    """Sleeps as long as the text says (milliseconds) and notes when it awoke."""

    name = "naps"

    async def receive(self, message: Message) -> Receipt:
        await self.runtime.redis.get("key")
        began = self.runtime.now()
        await self.runtime.sleep(int(message.text) / 1000)
        slept = self.runtime.now() - began
        self.runtime.note("awake", slept_ms=slept.total_seconds() * 1000, of_ms=int(message.text))
        return Receipt()


class EveryOrder:
    """Depth first through all orders of the Redis hops of a small program; the rest goes first, and nothing is held."""

    stepped = True

    def __init__(self) -> None:
        self._path: list[int] = []
        self._widths: list[int] = []
        self._depth = 0

    def new_run(self, run: int) -> bool:
        """The next branch; False when all were taken."""
        if run:
            while self._path and self._path[-1] + 1 >= self._widths[-1]:
                self._path.pop()
                self._widths.pop()
            if not self._path:
                return False
            self._path[-1] += 1
        self._depth = 0
        return True

    def next_step(self, steps: Sequence[Pending]) -> int:
        """The choice of this branch."""
        for place, step in enumerate(steps):
            if step.name.split()[1] not in ("GET", "SET"):
                return place
        if self._depth == len(self._path):
            self._path.append(0)
            self._widths.append(len(steps))
        self._depth += 1
        return self._path[self._depth - 1]

    def number(self, draw: Draw) -> int:
        """The second message goes to the second function."""
        return 1 if draw.key == "route provider b#1" else draw.default


def order_of(history: list[Event]) -> tuple[str, ...]:
    return tuple(f"{event['function']} {event['args'][0]}" for event in events(history, "redis.executed"))


def test_depth_first_all_orders_of_two_racing_functions_are_reached() -> None:
    scheduler, orders, number = EveryOrder(), set(), 0
    while scheduler.new_run(number):
        orders.add(order_of(World(RACE, ReadsAndWrites, scheduler).run()))
        number += 1
        assert number <= 70
    assert number == 70  # eight hops, four of each function
    mine, theirs = ("f1 GET", "f1 SET"), ("f2 GET", "f2 SET")
    merges = {
        tuple((mine if who == 0 else theirs)[turns[:place].count(who)] for place, who in enumerate(turns))
        for turns in product((0, 1), repeat=4)
        if sum(turns) == 2
    }
    assert orders == merges


def test_a_random_walk_reaches_all_orders_of_two_racing_functions() -> None:
    scheduler, orders = RandomWalk("orders"), set()
    for number in range(150):
        scheduler.new_run(number)
        order = order_of(World(RACE, ReadsAndWrites, scheduler).run())
        if len({command.split()[0] for command in order}) == 2:
            orders.add(order)
    assert len(orders) == 6


def test_in_order_is_the_default_and_needs_no_recorded_choice() -> None:
    world = World(RACE, ReadsAndWrites, Replay({"route provider b#1": 1}, stepped=True))
    assert order_of(world.run()) == ("f1 GET", "f2 GET", "f1 SET", "f2 SET")
    assert world.choices.deviations == {"route provider b#1": 1}


def test_a_hop_takes_no_time_unless_it_is_held_and_a_held_one_arrives_at_the_named_instant() -> None:
    case = case_of(hop_ms=(1, 600), instants_ms=(250, 500))
    assert [e["t"] for e in events(run(ReadsAndWrites, case, scheduler=Steered(stepped=True)), "redis.executed")] == [
        0,
        0,
    ]
    for index, at_ms in enumerate((250, 500, 600)):
        numbers = {"hold f1 GET key request#1": 1, "until f1 GET key request#1": index}
        history = run(ReadsAndWrites, case, scheduler=Steered(numbers, stepped=True))
        assert events(history, "redis.executed")[0]["t"] == at_ms


def test_a_hop_can_be_held_to_the_end_of_a_ttl_and_a_millisecond_either_side() -> None:
    class Expires(Strategy):
        name = "expires"

        async def receive(self, message: Message) -> Receipt:
            await self.runtime.redis.set("key", "1", px=400)
            self.runtime.note("there", there=await self.runtime.redis.exists("key"))
            return Receipt()

    found = {}
    for index in range(4):
        numbers = {"hold f1 EXISTS key request#1": 1, "until f1 EXISTS key request#1": index}
        history = run(Expires, case_of(instants_ms=()), scheduler=Steered(numbers, stepped=True))
        found[events(history, "redis.executed")[1]["t"]] = notes(history, "there")[0]["there"]
    assert found == {399: 1, 400: 1, 401: 0, 600: 0}


def test_nothing_is_held_beyond_its_window() -> None:
    scheduler = RandomWalk("windows")
    for number in range(60):
        scheduler.new_run(number)
        history = World(case_of(sending(0, "a"), sending(7_800, "b"), hop_ms=(1, 300)), ReadsAndWrites, scheduler).run()
        sent = {event["command"]: event["t"] for event in events(history, "redis.sent")}
        for event in events(history, "redis.executed"):
            assert 0 <= event["t"] - sent[event["command"]] <= 300


@pytest.mark.parametrize("nap_ms", ["1", "7", "333", "5000"])
def test_a_timer_never_fires_early_and_is_not_passed_by(nap_ms: str) -> None:
    case = case_of(sending(0, "a", nap_ms), sending(0, "b", nap_ms), sending(3, "c", "10"), functions=2)
    scheduler = RandomWalk("timers")
    for number in range(40):
        scheduler.new_run(number)
        for event in notes(World(case, Naps, scheduler).run(), "awake"):
            assert event["slept_ms"] == event["of_ms"]


def test_a_random_walk_holds_hops_now_and_then() -> None:
    held = 0
    scheduler = RandomWalk("holds")
    for number in range(40):
        scheduler.new_run(number)
        world = World(RACE, ReadsAndWrites, scheduler)
        world.run()
        held += sum(key.startswith("hold ") for key in world.choices.deviations)
    assert held > 20


def test_alike_and_untouched_functions_are_offered_once() -> None:
    scheduler = Steered(stepped=True)
    run(ReadsAndWrites, case_of(sending(0, "a"), functions=3), scheduler=scheduler)
    # f1 runs the cleanup, so it is not like the other two: two kinds are offered, and the choice is one number of 0 or 1.
    assert [key for key in scheduler.asked if key.startswith("route")] == ["route provider a#1"]


def test_functions_with_clocks_of_their_own_are_all_offered() -> None:
    seen = set()
    for number in range(30):
        scheduler = RandomWalk("routes")
        scheduler.new_run(number)
        case = case_of(functions=3, clock_drifts_ppm=(0, 100, 200))
        seen |= {event["function"] for event in events(World(case, ReadsAndWrites, scheduler).run(), "webhook.arrived")}
    assert seen == {"f1", "f2", "f3"}
