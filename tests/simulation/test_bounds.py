"""A run that would not end is ended, says what it waited for, and is no verdict."""

import gc
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.buffer import Conversation, Delivery, Message, Receipt, Strategy, UsageError
from engine.exploration import RandomWalk, Scheduler, Timed
from engine.simulation.bounds import Bounds
from engine.simulation.process import EPOCH
from engine.verification import Verdict, judge
from scenarios import selection
from scenarios.running import replay_case
from tests.simulation.steering import Event, Steered, case_of, events, one, run, sending
from tests.strategies import probes


def bound_of(history: list[Event]) -> str:
    """What the end of an incomplete run says. Its verdicts are unknown, or violated by what did happen."""
    end = history[-1]
    assert (end["event"], end["reason"], end["completed"]) == ("end", "bound", False)
    assert Verdict.HOLDS not in {judgement.verdict for judgement in judge(history)}
    return str(end["bound"])


@pytest.mark.parametrize("stepped", [False, True])
def test_a_call_that_is_never_answered_ends_the_run_at_a_bound_that_names_it(stepped: bool) -> None:
    history = run(probes.NeverReturns, scheduler=Steered(stepped=stepped))
    assert "f1 never answered the webhook call w1: it waits in receive (probes.py:" in bound_of(history)
    assert one(history, "webhook.failed")["t"] == 30_000
    unknown = [each for each in judge(history) if each.invariant == "no_loss"]
    assert [each.verdict for each in unknown] == [Verdict.UNKNOWN]


def test_a_tick_that_never_ends_is_named() -> None:
    history = run(probes.NeverEndsItsTick, case_of(sending(5_000), functions=2))
    assert "a tick of f2 never ended: it waits in tick (probes.py:" in bound_of(history)
    assert one(history, "webhook.answered")["status"] == 200


def test_a_call_that_a_crash_broke_off_is_none_that_hangs() -> None:
    case = case_of(faults=("crash",), fault_budget=1, heal_ms=60_000)
    assert run(probes.Sleeps, case, {"fault timer f1#1": 1})[-1]["completed"]


def test_yielding_without_end_at_one_instant_is_a_bound_that_names_the_place() -> None:
    text = bound_of(run(probes.Spins))
    assert "f1 ran more than 20,000 callbacks at one instant in receive (probes.py:" in text
    assert "f1 never answered the webhook call w1" in text


def test_starting_tasks_without_end_is_a_bound() -> None:
    assert "f1 has started tasks without end: more than 5,000 at once" in bound_of(run(probes.Breeds))


@pytest.mark.parametrize("strategy", [probes.Computes, probes.ComputesInLua])
def test_computing_without_end_is_a_bound_in_cpu_time(strategy: type[Strategy]) -> None:
    text = bound_of(run(strategy, bounds=Bounds(cpu_seconds=0.3)))
    assert "the run computed for more than 0.3 s" in text
    assert "f1 never answered the webhook call w1" in text


def test_a_file_that_computes_without_end_as_it_is_imported_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "IMPORT_SECONDS", 0.3)
    (tmp_path / "busy.py").write_text("counted = 0\nwhile True:\n    counted += 1\n", encoding="utf-8")
    for find in (selection.find_strategy, selection.find_scenario):
        with pytest.raises(
            UsageError, match=r"busy.py:Mine does not import: it computed for more than 0\.3 s, at last at busy"
        ):
            find(f"{tmp_path / 'busy.py'}:Mine")


def test_a_strategy_that_ends_the_process_is_refused_by_name() -> None:
    class Exits(Strategy):
        name = "exits"

        async def receive(self, message: Message) -> Receipt:
            raise SystemExit(0)

    with pytest.raises(
        UsageError, match=r"strategy exits ends the process \(SystemExit: 0\) in receive \(test_bounds.py:\d+\)"
    ):
        replay_case(case_of(), Exits, {}, stepped=True)


def test_the_next_run_is_not_harmed_by_a_bound() -> None:
    run(probes.ComputesInLua, bounds=Bounds(cpu_seconds=0.2))
    history = run(probes.Scripted)
    assert history[-1]["completed"]
    assert one(history, "webhook.answered")["status"] == 200


def test_the_default_bound_on_cpu_time_is_30_s() -> None:
    assert Bounds().cpu_seconds == 30


def test_steps_without_end_are_a_bound() -> None:
    history = run(probes.Polls, bounds=Bounds(steps=5_000))
    assert bound_of(history).startswith(
        "more than 5,000 steps; f1 never answered the webhook call w1: it waits in receive"
    )


@pytest.mark.parametrize("policy", [Timed, RandomWalk])
@pytest.mark.parametrize("strategy", [probes.NeverReturns, probes.Spins, probes.Breeds])
def test_a_bound_leaves_nothing_on_stderr(
    policy: type[Timed] | type[RandomWalk], strategy: type[Strategy], capfd: pytest.CaptureFixture[str]
) -> None:
    scheduler: Scheduler = policy("0")
    bound_of(run(strategy, case_of(functions=3), scheduler=scheduler))
    gc.collect()
    assert capfd.readouterr() == ("", "")


def test_what_still_waits_at_the_settle_limit_is_a_violation_and_no_bound() -> None:
    class Forgets(probes.Sweeps):
        async def tick(self) -> None:
            await self.runtime.redis.get("nothing")

    history = run(Forgets, case_of(settings={"SETTLE_LIMIT_SECONDS": 60}))
    assert (history[-1]["reason"], history[-1]["completed"]) == ("settle_limit", True)
    assert one(history, "waiting")["id"] == "a"
    assert 60_000 <= history[-1]["t"] - one(history, "healed")["t"] < 70_000
    assert [each.verdict for each in judge(history, only=("no_loss",)) if each.applicable] == [Verdict.VIOLATED]


def test_who_writes_again_after_an_hour_of_silence_is_served_by_the_next_tick_though_few_came_in_between() -> None:
    history = run(probes.Sweeps, case_of(sending(), sending(3_600_500, "b")))
    accepted = events(history, "webhook.answered")[1]["t"]
    ticks = [each["t"] for each in events(history, "tick.began")]
    assert accepted <= min(at for at in ticks if at >= accepted) <= accepted + 1_100
    assert len(ticks) < 500


def test_a_heartbeat_in_every_tick_keeps_no_silence_long() -> None:
    class Beats(probes.Sweeps):
        async def tick(self) -> None:
            await self.runtime.redis.set("beat", 1, ex=2)
            await super().tick()

    history = run(Beats, case_of(sending(), sending(7_200_000, "b")))
    assert len(events(history, "handover.effect")) == 2
    assert len(events(history, "tick.began")) < 1_000


def test_deliveries_that_achieve_nothing_keep_no_run_long() -> None:
    class Fails(probes.Sweeps):
        async def tick(self) -> None:
            await self.runtime.post_delivery(Conversation(instance_name="bot", user_phone="4915110000001"))

        async def deliver(self, conversation: Conversation) -> Delivery:
            raise ValueError("always")

    history = run(Fails)
    assert history[-1]["reason"] == "settle_limit"
    assert len(events(history, "tick.began")) < 500


def test_a_buffer_that_waits_for_minutes_is_swept_when_it_is_due() -> None:
    class Waits(probes.Sweeps):
        async def tick(self) -> None:
            if self.runtime.now() >= EPOCH + timedelta(minutes=15):
                await super().tick()

    history = run(Waits, case_of(settings={"BUFFER_DELAY_MS": 900_000, "BUFFER_TTL_SECONDS": 2_000}))
    assert 900_000 <= one(history, "handover.effect")["t"] <= 903_000


@pytest.mark.parametrize(("by", "lasts_s"), [("key", 15), ("score", 15), ("key", 60)])
def test_what_a_zombie_renews_does_not_end_because_its_renewals_became_rare(by: str, lasts_s: int) -> None:
    class Zombie(probes.Sweeps):
        async def tick(self) -> None:
            redis, now_s = self.runtime.redis, self.runtime.now().timestamp()
            taken: Any = await redis.set("lock", 1, nx=True, ex=lasts_s) if by == "key" else None
            if by == "score" and float(await redis.zscore("leases", "lock") or 0) < now_s:
                taken = await redis.zadd("leases", {"lock": now_s + lasts_s}, ch=True)
            if not taken:
                return
            if await redis.incr("claims") > 1:
                await super().tick()
            else:  # its work has failed, and nobody stops what renews the lock
                self.runtime.start(self.renew())

        async def renew(self) -> None:
            while True:
                await self.runtime.sleep(0.4 * lasts_s)
                await self.runtime.redis.expire("lock", lasts_s)
                await self.runtime.redis.zadd("leases", {"lock": self.runtime.now().timestamp() + lasts_s})

    history = run(Zombie, case_of(functions=2))
    assert events(history, "handover.sent") == []
    assert history[-1]["reason"] == "settle_limit"


def test_ticks_go_on_until_one_more_tick_has_changed_no_key() -> None:
    history = run(probes.Sweeps, case_of(functions=2))
    forgotten = one(history, "redis.executed", reply="1", args=["LREM", "list", "1", "a:hi"])
    after = history[history.index(forgotten) :]
    began = events(after, "tick.began")
    assert began
    assert events(after, "tick.ended", function=began[0]["function"])
    assert history[-1]["reason"] == "quiet"
    assert history[-1]["keys"] == {}


#: What a design leaves behind, whether a run waits for it after a fault.
LEFT = [
    ("work", True),
    ("counter", False),
    ("claim with a TTL", True),
    ("lock", True),
    ("marker", False),
    ("due time", True),
]


@pytest.mark.parametrize(("left", "waits"), LEFT)
def test_after_a_fault_a_run_waits_once_for_what_may_be_work_and_for_no_counter(left: str, waits: bool) -> None:
    class Leaves(probes.Sweeps):
        shared_keys = frozenset({"left", "due:*"})

        async def receive(self, message: Message) -> Receipt:
            redis = self.runtime.redis
            await (redis.rpush("left", "work") if left == "work" else redis.incr("left"))
            if left == "claim with a TTL":
                await redis.rpush("flight", "work")
                await redis.expire("flight", 600)
            if left in ("lock", "marker"):
                await redis.set("text", "1", ex=150 if left == "lock" else 4_200)
            if left == "due time":
                await redis.set("due:bot", 1_700_000_000)
            return await super().receive(message)

    case = case_of(functions=2, faults=("clock_skew",), fault_budget=1, heal_ms=2_000_000)
    history = run(Leaves, case, {"fault f1 starts": 1})
    assert events(history, "fault")
    waited_s = (history[-1]["t"] - events(history, "handover.confirmed")[-1]["t"]) / 1000
    assert waited_s < 500
    assert (waited_s > 140) is waits
