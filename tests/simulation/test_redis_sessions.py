"""Transactions, watches, pipelines, blocking commands, expiry under a watch, and a cluster's slots."""

from typing import Any

import pytest

from engine.buffer import Message, Receipt, Strategy
from engine.exploration import RandomWalk
from engine.simulation.world import World
from tests.simulation.steering import Event, Steered, case_of, events, notes, one, run, sending
from tests.strategies import probes

TWO = (sending(0, "a"), sending(0, "b"))


def executed(history: list[Event]) -> list[tuple[str, str]]:
    """Who executed what, in order: (function, command and key)."""
    return [(event["function"], " ".join(event["args"][:2])) for event in events(history, "redis.executed")]


@pytest.mark.parametrize("stepped", [False, True])
def test_a_transaction_is_executed_as_one_unit(stepped: bool) -> None:
    case = case_of(*TWO, functions=2)
    history = run(probes.Transacts, case, scheduler=Steered({"route provider b#1": 1}, stepped=stepped))
    order = [who for who, _ in executed(history)]
    assert order in (["f1"] * 4 + ["f2"] * 4, ["f2"] * 4 + ["f1"] * 4)
    assert sorted(event["counts"] for event in notes(history, "counts")) == [[1, 1], [2, 2]]
    replied = {event["command"] for event in events(history, "redis.replied")}
    assert replied == {event["command"] for event in events(history, "redis.executed")}


def test_no_interleaving_gets_between_the_commands_of_a_transaction() -> None:
    scheduler = RandomWalk("transactions")
    for number in range(40):
        scheduler.new_run(number)
        history = World(case_of(*TWO, functions=2), probes.Transacts, scheduler).run()
        commands = [(event["function"], event["args"][0]) for event in events(history, "redis.executed")]
        assert [each for _, each in commands] == ["MULTI", "INCRBY", "INCRBY", "EXEC"] * 2
        assert len({who for who, _ in commands[:4]}) == 1


def test_other_clients_commands_come_between_those_of_a_pipeline_without_a_transaction() -> None:
    scheduler = RandomWalk("pipelines")
    seen = set()
    for number in range(40):
        scheduler.new_run(number)
        history = World(case_of(*TWO, functions=2), probes.Pipelines, scheduler).run()
        seen.add(tuple(who for who, _ in executed(history)))
        assert len(notes(history, "counts")) == 2
    assert {who[:2] for who in seen} >= {("f1", "f1"), ("f1", "f2")}


def test_a_watch_sees_another_connection_s_write() -> None:
    case = case_of(sending(0, "a"), sending(100, "b"), functions=2)
    history = run(probes.Watches, case, {"route provider b#1": 1})
    assert one(history, "note", note="conflict")["id"] == "b"
    assert [event["status"] for event in events(history, "webhook.answered")] == [200, 503]
    aborted = [event for event in events(history, "redis.executed") if event["args"] == ["EXEC"]]
    assert [event["reply"] for event in aborted] == ["[OK]", "nil"]


def test_a_watch_that_nobody_crosses_is_no_conflict() -> None:
    case = case_of(sending(0, "a"), sending(10_000, "b"), functions=2)
    assert not notes(run(probes.Watches, case, {"route provider b#1": 1}), "conflict")


class WatchesAnExpiry(Strategy):
    """A key ends between WATCH and EXEC."""

    name = "watches_an_expiry"

    async def receive(self, message: Message) -> Receipt:
        await self.runtime.redis.set("key", "1", px=500)
        async with self.runtime.redis.pipeline() as pipeline:
            await pipeline.watch("key")
            await self.runtime.sleep(1)
            pipeline.multi()  # type: ignore[no-untyped-call]
            pipeline.set("other", "1")
            await pipeline.execute()
        return Receipt()


def test_a_watched_key_that_expires_is_a_conflict_as_on_a_server() -> None:
    assert one(run(WatchesAnExpiry), "receive.failed")["error"].startswith("WatchError")


class Times(Strategy):
    """Two commands; the first one's reply is lost on the way for longer than the client waits."""

    name = "times"

    async def receive(self, message: Message) -> Receipt:
        redis = self.runtime.redis
        for attempt in range(2):
            try:
                self.runtime.note("reply", attempt=attempt, value=await redis.incr("count"))
            except Exception as error:
                self.runtime.note("error", attempt=attempt, kind=type(error).__name__)
        return Receipt()


def test_a_client_that_timed_out_reconnects_and_never_takes_the_late_reply_for_the_next_one() -> None:
    numbers = {"fault f1 INCRBY count#1": 1, "stall f1 INCRBY count": 6_000, "which hop f1 INCRBY count": 1}
    history = run(Times, case_of(faults=("stall",), fault_budget=1, heal_ms=60_000), numbers)
    assert one(history, "note", note="error")["kind"] == "TimeoutError"
    assert one(history, "note", note="reply")["value"] == 2
    assert one(history, "webhook.answered")["status"] == 200


# -- blocking commands -------------------------------------------------------------------------------------------------


def test_a_blocked_client_is_woken_by_the_push_that_it_waits_for() -> None:
    case = case_of(sending(0, "a", "take", data=4), sending(2_000, "b", "entry"), functions=2)
    history = run(probes.Waits, case, {"route provider b#1": 1})
    taken = one(history, "note", note="taken")
    assert taken["entry"] == ["list", "entry"]
    pop, push = (one(history, "redis.executed", function=who) for who in ("f1", "f2"))
    assert pop["t"] == push["t"]
    assert pop["writes"] == ["list"]
    assert history.index(push) < history.index(pop)
    assert history[-1]["keys"] == {}


def test_a_blocked_client_gets_nothing_when_its_time_is_over() -> None:
    history = run(probes.Waits, case_of(sending(0, "a", "take", data=3)))
    sent, executed_ = one(history, "redis.sent"), one(history, "redis.executed")
    assert one(history, "note", note="taken")["entry"] is None
    assert executed_["t"] - sent["t"] == 1 + 3_000


def test_blocked_clients_are_served_in_the_order_in_which_they_came_and_one_entry_serves_one() -> None:
    case = case_of(
        sending(0, "a", "take", data=4), sending(500, "b", "take", data=4), sending(2_000, "c", "entry"), functions=3
    )
    history = run(probes.Waits, case, {"route provider b#1": 1, "route provider c#1": 2})
    assert [(event["function"], event["entry"]) for event in notes(history, "taken")] == [
        ("f1", ["list", "entry"]),
        ("f2", None),
    ]


def test_a_client_that_gave_up_waiting_takes_nothing() -> None:
    # Its own time-out of 5 s ends the wait without end.
    case = case_of(sending(0, "a", "take", data=0), sending(8_000, "b", "entry"), functions=2)
    history = run(probes.Waits, case, {"route provider b#1": 1})
    assert one(history, "note", note="error")["kind"] == "TimeoutError"
    assert one(history, "redis.failed")["error"] == "given_up"
    assert history[-1]["keys"] == {"list": "list"}
    assert history[-1]["completed"]


def test_what_is_there_already_is_taken_without_waiting() -> None:
    case = case_of(sending(0, "a", "entry"), sending(2_000, "b", "take", data=4))
    history = run(probes.Waits, case)
    assert one(history, "note", note="taken")["t"] < 2_010


def test_a_blocked_client_is_cut_off_by_a_restart() -> None:
    case = case_of(
        sending(0, "a", "take", data=4),
        sending(1_000, "b", "entry"),
        functions=2,
        faults=("restart",),
        fault_budget=1,
        heal_ms=60_000,
    )
    history = run(probes.Waits, case, {"route provider b#1": 1, "fault f2 RPUSH list#1": 1})
    assert one(history, "note", note="error")["kind"] == "ConnectionError"
    assert not events(history, "redis.executed")


# -- what is touched ---------------------------------------------------------------------------------------------------


class Touches(Strategy):
    """Executes the command in its data, after some keys were made."""

    name = "touches"

    async def receive(self, message: Message) -> Receipt:
        redis = self.runtime.redis
        await redis.mset({"string": "1", "other": "2"})
        await redis.rpush("list", "x", "y")
        await redis.set("expiring", "1", px=100_000)
        send: Any = redis.execute_command
        try:
            self.runtime.note("reply", reply=await send(*message.data))
        except Exception as error:
            self.runtime.note("error", text=str(error))
        return Receipt()


@pytest.mark.parametrize(
    ("command", "reads", "writes"),
    [
        (["GET", "string"], ["string"], []),
        (["GET", "missing"], ["missing"], []),
        (["EXISTS", "missing"], ["missing"], []),
        (["SET", "string", "2"], [], ["string"]),
        (["SET", "string", "2", "NX"], ["string"], []),
        (["SET", "missing", "2", "NX"], [], ["missing"]),
        (["DEL", "string", "missing"], ["missing"], ["string"]),
        (["EXPIRE", "string", "10"], [], ["string"]),
        (["PERSIST", "expiring"], [], ["expiring"]),
        (["PTTL", "expiring"], ["expiring"], []),
        (["LPOP", "list"], [], ["list"]),
        (["LRANGE", "list", "0", "-1"], ["list"], []),
        (["LMOVE", "list", "new", "LEFT", "LEFT"], [], ["list", "new"]),
        (["RENAME", "string", "new"], [], ["new", "string"]),
        (["COPY", "string", "new"], ["string"], ["new"]),
        (["MGET", "string", "other"], ["other", "string"], []),
        (["BLPOP", "list", "1"], [], ["list"]),
        (["LMPOP", "1", "list", "LEFT"], [], ["list"]),
        (["LMPOP", "1", "missing", "LEFT"], ["missing"], []),
        (["EVAL", "return redis.call('GET', 'undeclared')", "0"], ["undeclared"], []),
        (["EVAL", "redis.call('SET', 'undeclared', 1)", "0"], [], ["undeclared"]),
        (["FLUSHALL"], None, ["expiring", "list", "other", "string"]),
        (["TIME"], [], []),
    ],
)
def test_a_command_s_keys_are_those_that_it_really_touched(
    command: list[str], reads: list[str] | None, writes: list[str]
) -> None:
    history = run(Touches, case_of(sending(data=command)))
    assert not notes(history, "error")
    event = events(history, "redis.executed")[-1]
    assert sorted(event["writes"]) == writes
    if reads is not None:
        assert sorted(event["reads"]) == reads


@pytest.mark.parametrize("command", [["KEYS", "*"], ["SCAN", "0"], ["RANDOMKEY"], ["DBSIZE"]])
def test_what_depends_on_all_keys_reads_any(command: list[str]) -> None:
    event = events(run(Touches, case_of(sending(data=command))), "redis.executed")[-1]
    assert "*" in event["reads"]
    assert event["writes"] == []


@pytest.mark.parametrize("value", ["OK", "", "+x", "two\r\nlines", "*1", "ü", "QUEUED", "-ERR x"])
def test_any_value_comes_back_as_it_was_written(value: str) -> None:
    for command in (["EVAL", "return ARGV[1]", "0", value], ["EVAL", "return {ARGV[1], {ARGV[1]}}", "0", value]):
        reply = one(run(Touches, case_of(sending(data=command))), "note", note="reply")["reply"]
        assert reply in (value, [value, [value]])


# -- a cluster ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["MSET", "one", "1", "two", "2"],
        ["EVAL", "return 1", "2", "one", "two"],
        ["EVAL", "redis.call('SET', 'one', 1) return redis.call('GET', 'two')", "0"],
        ["RENAME", "one", "two"],
        ["SUNION", "one", "two"],
        ["BLPOP", "one", "two", "1"],
    ],
)
def test_a_cluster_refuses_a_command_whose_keys_lie_in_two_slots(command: list[str]) -> None:
    class Asks(Strategy):
        name = "asks"

        async def receive(self, message: Message) -> Receipt:
            send: Any = self.runtime.redis.execute_command
            await send(*message.data)
            return Receipt()

    error = events(run(Asks, case_of(sending(data=command), cluster=True)), "redis.executed")[0]["error"]
    assert "CROSSSLOT" in error or "non local key" in error
    assert "CROSSSLOT" not in str(events(run(Asks, case_of(sending(data=command))), "redis.executed"))
    tagged = [part.replace("one", "{t}one").replace("two", "{t}two") for part in command]
    assert "slot" not in str(events(run(Asks, case_of(sending(data=tagged), cluster=True)), "redis.executed"))


def test_a_cluster_refuses_a_transaction_over_two_slots_and_executes_none_of_it() -> None:
    history = run(probes.Transacts, case_of(cluster=True))
    assert "CROSSSLOT" in events(history, "redis.executed")[-1]["error"]
    assert "hash to the same slot" in one(history, "note", note="error")["text"]
    assert history[-1]["keys"] == {}
