"""Contexts: what a function did last tells one place of a fault from another, whichever function it was."""

from itertools import pairwise

import pytest

from engine.exploration import DIRECTED, GROUP, Sampler, Scheduler, probing
from engine.exploration.contexts import Contexts
from engine.exploration.pos import Pos
from engine.exploration.scheduler import Choices, Draw, Footprint
from tests.unit.exploration.toy import Named, play

CLAIM: Footprint = frozenset({("redis", "{bp:1}:flight:bot:49151", True), ("redis", "{bp:1}:due", True)})
SWEEP: Footprint = frozenset({("redis", "{bp:0}:due", False), ("step", "-77", True)})
NOTHING: Footprint = frozenset({("function", "f1", True), ("step", "12", True)})


def reply(function: str, command: str = "EVALSHA") -> Draw:
    return Draw(f"fault {function} {command} {{bp:1}}:due reply#3", "faults", 0, 2, 0, "uniform", ("crash", "pause"))


def after(*steps: tuple[str, Footprint], draw: Draw) -> tuple[str, str]:
    contexts = Contexts()
    for actor, footprint in steps:
        contexts.took(Named("a name that all have", actor), footprint)
    return contexts.of(draw)


def test_the_moment_after_a_claim_is_another_one_than_after_a_sweep_though_the_steps_have_one_name() -> None:
    assert after(("f1", CLAIM), draw=reply("f1")) != after(("f1", SWEEP), draw=reply("f1"))


def test_it_is_the_same_on_every_function_and_shard_whether_the_script_was_cached_or_not() -> None:
    other = frozenset({("redis", "{bp:0}:flight:bot:49152", True), ("redis", "{bp:0}:due", True)})
    assert after(("f1", CLAIM), draw=reply("f1")) == after(("f23", other), draw=reply("f23", "EVAL"))


def test_what_another_function_did_meanwhile_does_not_change_it_nor_a_step_that_touches_nothing_shared() -> None:
    alone = after(("f1", CLAIM), draw=reply("f1"))
    assert after(("f1", CLAIM), ("f2", SWEEP), ("f1", NOTHING), draw=reply("f1")) == alone


def test_reading_is_not_writing() -> None:
    read = frozenset((room, which, False) for room, which, _ in CLAIM)
    assert after(("f1", CLAIM), draw=reply("f1")) != after(("f1", read), draw=reply("f1"))


def crashes(scheduler: Scheduler) -> str:
    """A program that is asked for a crash at `a`, and where there was one, in what deals with it, at `b`."""
    choices, met = Choices(scheduler), ""
    for place in "ab":
        if place == "b" and not met:
            break
        if choices.number(place, f"fault {place}", 0, 1, shape="rate:0.01", options=("crash",)):
            met += place
    return met


@pytest.mark.parametrize("policy", DIRECTED)
def test_what_deals_with_a_fault_is_met_by_another_one(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def met(runs: int) -> set[str]:
        sampler = Sampler(policy, "0")
        return {crashes(sampler.begin(run)[1]) for run in range(runs)}

    assert met(20 * GROUP) == {"", "a", "ab"}
    monkeypatch.setattr(probing, "GO_ON", 0)
    assert met(20 * GROUP) == {"", "a"}, "the probe does not show it, so it was the going on that did"


@pytest.mark.parametrize("policy", DIRECTED)
def test_a_place_that_the_probe_did_not_come_to_harms_no_later_run(policy: str) -> None:
    sampler = Sampler(policy, "0")
    for run in range(20 * GROUP):
        scheduler = sampler.begin(run)[1]
        if run % GROUP:
            crashes(scheduler)


@pytest.mark.parametrize("policy", DIRECTED)
def test_each_kind_strikes_where_two_questions_of_one_context_are_about_different_kinds(policy: str) -> None:
    sampler, struck = Sampler(policy, "0"), set()
    for run in range(40 * GROUP):
        choices = Choices(sampler.begin(run)[1])
        for kinds in (("webhook_repeated",), ("reply_lost", "stall")):
            struck.add(
                (kinds, choices.number("place", "fault provider m1", 0, len(kinds), shape="rate:0.01", options=kinds))
            )
    assert struck == {
        (("webhook_repeated",), 0),
        (("webhook_repeated",), 1),
        *((("reply_lost", "stall"), n) for n in range(3)),
    }


@pytest.mark.parametrize("policy", DIRECTED)
def test_a_run_that_goes_on_is_the_earlier_one_up_to_its_new_fault(
    policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "GO_ON", 1)
    monkeypatch.setattr(probing, "FROM_LAST", 1)
    sampler, sites = Sampler(policy, "0"), ("a2", "b3", "a4", "b5")
    orders = [play({"a": 6, "b": 6}, sampler.begin(run)[1], "k", sites)[0] for run in range(20 * GROUP)]
    for number, (before, order) in enumerate(pairwise(orders), 1):
        if number % GROUP and before.count("!") < max(probing.AIMS):
            first = next((new for old, new in zip(before, order, strict=False) if old != new), "!")
            assert first == "!", (before, order)


def test_what_steps_touch_is_measured_by_the_probe_alone_so_that_an_earlier_run_can_be_made_again() -> None:
    policy = Pos("0")
    for run, name in enumerate(("a request", "a reply that a fault caused")):
        policy.new_run(run)
        policy.took(Named(name, "f1"), CLAIM, ())
    assert set(policy.probe.footprints) == {"a request"}
