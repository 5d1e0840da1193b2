"""Who waits for an entry of a stream, for a published word, for the end of a key."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from engine.buffer import Message, Receipt, Strategy
from engine.exploration import RandomWalk
from engine.exploration.scheduler import Footprint, Pending
from engine.simulation.program import Program
from engine.simulation.server import RedisServer, ServerPool
from tests.simulation.steering import Steered, case_of, events, notes, one, run, sending


class AwaitsEntries(Strategy):
    """Waits for an entry of a stream, by `$` or in a group; or adds one."""

    name = "awaits_entries"
    tick_ms = None

    async def receive(self, message: Message) -> Receipt:
        redis = self.runtime.redis
        if message.text == "entry":
            await redis.xadd("stream", {"n": message.message_id})
        elif message.text == "group":
            await redis.xgroup_create("stream", "group", id="$", mkstream=True)
            found: Any = await redis.xreadgroup("group", "me", {"stream": ">"}, count=9, block=4_000)
            self.runtime.note("found", entries=[fields for _, fields in found[0][1]] if found else None)
        else:
            found = await redis.xread({"stream": "$"}, block=4_000)
            self.runtime.note("found", entries=[fields for _, fields in found[0][1]] if found else None)
        return Receipt()


@pytest.mark.parametrize("how", ["group", "$"])
def test_who_awaits_a_stream_is_woken_by_the_next_entry_alone(how: str) -> None:
    case = case_of(sending(0, "old", "entry"), sending(1_000, "a", how), sending(3_000, "new", "entry"), functions=2)
    history = run(AwaitsEntries, case, {"route provider new#1": 1})
    found, added = one(history, "note", note="found"), events(history, "redis.executed")[-1]
    assert found["entries"] == [{"n": "new"}]
    assert found["t"] < 3_010
    assert added["writes"] == (["stream"] if how == "group" else [])


@pytest.mark.parametrize("how", ["group", "$"])
def test_who_awaits_a_stream_in_vain_waits_his_time(how: str) -> None:
    history = run(AwaitsEntries, case_of(sending(0, "old", "entry"), sending(1_000, "a", how)))
    found = one(history, "note", note="found")
    assert found["entries"] is None
    assert 5_000 <= found["t"] < 5_010


class Subscribes(Strategy):
    """One message makes a function subscribe, the next one publishes."""

    name = "subscribes"
    tick_ms = None

    async def receive(self, message: Message) -> Receipt:
        if message.text == "publish":
            await self.runtime.redis.publish("news", "it")
        else:
            heard = self.runtime.redis.pubsub()
            await heard.subscribe("news")
            self.runtime.start(self._listen(heard))
        return Receipt()

    async def _listen(self, heard: Any) -> None:
        async for event in heard.listen():
            self.runtime.note("heard", kind=event["type"])


def test_what_is_published_is_not_read_before_the_reply_that_was_sent_before_it() -> None:
    case = case_of(sending(0, "a", "subscribe"), sending(100, "b", "publish"), functions=2, hop_ms=(1, 600))
    held = {"hold f1 SUBSCRIBE reply#1": 1, "until f1 SUBSCRIBE reply#1": 3, "route provider b#1": 1}
    history = run(Subscribes, case, scheduler=Steered(held, stepped=True))
    replied = next(e for e in events(history, "redis.replied") if e["function"] == "f1")
    published = next(e for e in events(history, "redis.executed") if e["args"][0] == "PUBLISH")
    assert published["t"] < replied["t"]
    assert [event["kind"] for event in notes(history, "heard")] == ["subscribe", "message"]


class HearsAnEnd(Strategy):
    """Subscribes to the ends of keys, and sets a key that ends."""

    name = "hears_an_end"
    tick_ms: ClassVar[int | None] = None

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        runtime.start(self._listen())

    async def receive(self, message: Message) -> Receipt:
        await self.runtime.redis.set("timer", 1, px=4_000)
        return Receipt()

    async def _listen(self) -> None:
        await self.runtime.redis.config_set("notify-keyspace-events", "Ex")
        async with self.runtime.redis.pubsub(ignore_subscribe_messages=True) as heard:
            await heard.psubscribe("__keyevent@*__:expired")
            async for event in heard.listen():
                self.runtime.note("heard", key=event["data"].decode())


def test_who_subscribed_hears_of_an_end_when_it_comes_and_not_with_the_next_command() -> None:
    history = run(HearsAnEnd, case_of(sending(1_000, "a")))
    end, heard = one(history, "key.expired"), one(history, "note", note="heard")
    set_at = events(history, "redis.executed")[-1]["t"]
    assert (end["key"], heard["key"]) == ("timer", "timer")
    assert end["t"] == set_at + 4_000 + 1
    assert heard["t"] <= end["t"] + 10


class HearsAnEndBesideFields(HearsAnEnd):
    """The same, with fields that end before the key, and a key that goes with its last field."""

    name = "hears_an_end_beside_fields"
    tick_ms = 1_000

    async def receive(self, message: Message) -> Receipt:
        await self.runtime.redis.hset("fields", mapping={"one": 1, "other": 2})
        await self.runtime.redis.hpexpire("fields", 2_000, "one")
        await self.runtime.redis.hset("going", "one", "1")
        await self.runtime.redis.hpexpire("going", 2_000, "one")
        return await super().receive(message)

    async def tick(self) -> None:
        """Nothing is looked at."""


def test_fields_that_end_unread_keep_no_run_busy_and_leave_no_key() -> None:
    history = run(HearsAnEndBesideFields, case_of(sending(1_000, "a")))
    assert history[-1]["completed"]
    assert one(history, "note", note="heard")["key"] == "timer"
    assert history[-1]["keys"] == {"fields": "hash"}


class MarksByFields(Strategy):
    """A message is marked by a field that ends; a key without an end keeps the ticks going till after that."""

    name = "marks_by_fields"
    tick_ms: ClassVar[int | None] = 1_000

    async def receive(self, message: Message) -> Receipt:
        await self.runtime.redis.hset("seen", message.message_id, "1")
        await self.runtime.redis.hpexpire("seen", 2_000, message.message_id)
        await self.runtime.redis.set("busy", 1)
        await self.runtime.hand_over([message])
        self.runtime.start(self._end())
        return Receipt()

    async def _end(self) -> None:
        await self.runtime.sleep(4)
        await self.runtime.redis.delete("busy")

    async def tick(self) -> None:
        """Nothing is looked at."""


def test_a_run_asks_what_lasts_after_the_last_field_has_ended_unread() -> None:
    history = run(MarksByFields, case_of(sending(1_000, "a")))
    assert (history[-1]["completed"], history[-1]["keys"]) == (True, {})


def test_two_looks_at_a_hash_whose_last_field_has_ended_see_the_same() -> None:
    server = RedisServer(ServerPool())
    session = server.open_session()
    for command in ("HSET h a 1", "HPEXPIRE h 1000000 FIELDS 1 a"):
        server.execute(session, [part.encode() for part in command.split()])
    server.database._dict[b"h"].value._expirations[b"a"] = 1  # its end lies in the past now
    server.database._dict[b"h"].value._expiry_heap[:] = [(1, b"a")]
    assert [list(server.lasting_keys()), server.keys(), server.keys()] == [[], {}, {}]


class Observes(RandomWalk):
    """Notes what the steps touched, by their names."""

    def __init__(self) -> None:
        super().__init__("observes")
        self.touched: dict[str, Footprint] = {}

    def took(self, step: Pending, footprint: Footprint, disabled: Sequence[int]) -> None:
        self.touched[step.name] = footprint

    def end_run(self) -> None:
        """Nothing to learn."""


def test_a_subscriber_that_leaves_is_no_step_to_exchange_with_a_word_that_is_published() -> None:
    async def listen(client: Any) -> None:
        heard = client.pubsub()
        await heard.subscribe("news")
        await heard.get_message(timeout=None)
        await heard.aclose()

    policy = Observes()
    policy.new_run(0)
    Program([listen], policy, hop_ms=(0, 0)).run()
    assert ("redis", "", True) in policy.touched["f1 SUBSCRIBE reply"]


def test_where_ends_are_heard_of_no_two_executions_are_exchanged() -> None:
    kept: list[Any] = []

    async def listen(client: Any) -> None:
        await client.config_set("notify-keyspace-events", "Ex")
        heard = client.pubsub()
        await heard.psubscribe("*")
        kept.extend([client, heard])  # till the run is over

    async def set_timers(client: Any) -> None:
        await client.set("unheard", 1, px=500)
        await asyncio.sleep(2)
        await client.set("heard", 1, px=500)
        kept.append(client)

    policy = Observes()
    policy.new_run(0)
    Program([set_timers, listen], policy, hop_ms=(0, 0)).run()
    assert ("ends", "", True) in policy.touched["f1 SET heard request"]
