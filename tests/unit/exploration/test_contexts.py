"""Contexts: what led to a place tells it from another, whichever function it is; what aims at them; what goes on from a run."""

import random
from collections import Counter
from itertools import pairwise

import pytest

from engine.exploration import DIRECTED, GROUP, Sampler, Scheduler, probing
from engine.exploration.aims import aims_at, more_aims
from engine.exploration.contexts import Contexts
from engine.exploration.moments import Moments
from engine.exploration.pos import Pos
from engine.exploration.scheduler import Choices, Draw, Footprint
from tests.unit.exploration.toy import BUDGET, Named, play

CLAIM: Footprint = frozenset({("redis", "{bp:1}:flight:bot:49151", True), ("redis", "{bp:1}:due", True)})
SWEEP: Footprint = frozenset({("redis", "{bp:0}:due", False), ("step", "-77", True)})
NOTHING: Footprint = frozenset({("function", "f1", True), ("step", "12", True)})


def reply(function: str, command: str = "EVALSHA") -> Draw:
    return Draw(f"fault {function} {command} {{bp:1}}:due reply#3", "faults", 0, 2, 0, "uniform", ("crash", "pause"))


def after(*steps: Footprint, draw: Draw, meanwhile: Footprint = NOTHING) -> tuple[str, str]:
    """The context at the end of a chain of steps, each the cause of the next, while another step happens on its own."""
    contexts = Contexts()
    for number, footprint in enumerate(steps, 1):
        contexts.took(Named("a name that all have", "f1", identity=number, cause=number - 1), footprint)
    contexts.took(Named("a name that all have", "f1", identity=99, cause=98), meanwhile)
    contexts.takes(Named("a name that all have", "f1", identity=100, cause=len(steps)))
    return contexts.of(draw)


def test_the_moment_after_a_claim_is_another_one_than_after_a_sweep_though_the_steps_have_one_name() -> None:
    assert after(CLAIM, draw=reply("f1")) != after(SWEEP, draw=reply("f1"))


def test_it_is_the_same_on_every_function_and_shard_whether_the_script_was_cached_or_not() -> None:
    other = frozenset({("redis", "{bp:0}:flight:bot:49152", True), ("redis", "{bp:0}:due", True)})
    assert after(CLAIM, draw=reply("f1")) == after(other, draw=reply("f23", "EVAL"))


def test_what_the_function_did_meanwhile_does_not_change_it_nor_a_step_that_touches_nothing_shared() -> None:
    alone = after(CLAIM, draw=reply("f1"))
    assert after(CLAIM, NOTHING, draw=reply("f1"), meanwhile=SWEEP) == alone


def test_reading_is_not_writing() -> None:
    read = frozenset((room, which, False) for room, which, _ in CLAIM)
    assert after(CLAIM, draw=reply("f1")) != after(read, draw=reply("f1"))


def test_a_context_is_telling_if_what_led_there_wrote_or_the_step_at_which_a_fault_would_strike_writes() -> None:
    def telling(led: Footprint, meets: Footprint) -> bool:
        contexts = Contexts()
        contexts.took(Named("f1 EVAL x reply", "f1", identity=1), led)
        cause = Named("f1 EVAL x reply", "f1", identity=2, cause=1)
        contexts.takes(cause)
        context = contexts.of(Draw("fault f1 EVAL y#1", "faults", 0, 1, 0, "rate:0.01", ("stall",)))
        contexts.took(cause, NOTHING)
        contexts.took(Named("f1 EVAL y request", "f1", identity=3, cause=2), meets)
        return context in contexts.telling

    assert telling(CLAIM, SWEEP)
    assert telling(SWEEP, CLAIM)
    assert not telling(SWEEP, SWEEP)


def crashes(scheduler: Scheduler) -> str:
    """A program that is asked for a crash at `a`, and where there was one, in what deals with it, at `b`."""
    choices, met = Choices(scheduler), ""
    for place in "ab":
        if place == "b" and not met:
            break
        left = 2 - len(met)
        if choices.number(place, f"fault {place}", 0, 1, shape="rate:0.01", options=("crash",), left=left):
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
        if number % GROUP and before.count("!") < BUDGET:
            first = next((new for old, new in zip(before, order, strict=False) if old != new), "!")
            assert first == "!", (before, order)


def test_what_steps_touch_is_measured_by_the_probe_alone_so_that_an_earlier_run_can_be_made_again() -> None:
    policy = Pos("0")
    for run, name in enumerate(("a request", "a reply that a fault caused")):
        policy.new_run(run)
        policy.took(Named(name, "f1"), CLAIM, ())
    assert set(policy.probe.footprints) == {"a request"}


#: A stalled hop takes its whole window besides.
BASE_MS = 600


def stalls(scheduler: Scheduler) -> tuple[int, ...]:
    """A program in which something is claimed at 8 s, and a command that is sent at 1 s may be late: by how much."""
    choices = Choices(scheduler)
    observer = choices.observer
    assert observer is not None
    observer.took(Named("to 1000", "time", "time"), frozenset(), ())
    late: tuple[int, ...] = ()
    if choices.number("fault/f1", "fault f1 SET", 0, 1, shape="rate:0.01", options=("stall",), left=2):
        stall_ms = choices.number(
            "fault/f1", "stall f1 SET", 700, 300_000, default=6_000, shape="log_uniform", base_ms=BASE_MS
        )
        late = (BASE_MS + stall_ms,)
    observer.took(Named("to 8000", "time", "time"), frozenset(), ())
    observer.took(Named("f1 claims", "f1", identity=1), CLAIM, ())
    return late


@pytest.mark.parametrize("policy", DIRECTED)
def test_what_is_late_often_comes_just_when_something_happened_in_an_earlier_run(policy: str) -> None:
    sampler = Sampler(policy, "0")
    lengths = [late for run in range(40 * GROUP) for late in stalls(sampler.begin(run)[1])]
    assert len(lengths) / 4 < sum(late in (7_000, 7_001) for late in lengths) < len(lengths)


@pytest.mark.parametrize("policy", DIRECTED)
def test_a_run_that_goes_on_has_the_lengths_of_the_earlier_one_or_one_of_them_is_another(
    policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept(other_end: int) -> set[bool]:
        monkeypatch.setattr(probing, "OTHER_END", other_end)
        sampler = Sampler(policy, "0")
        lengths = [stalls(sampler.begin(run)[1]) for run in range(20 * GROUP)]
        pairs = [(before, after) for number, (before, after) in enumerate(pairwise(lengths), 1) if number % GROUP]
        return {before == after for before, after in pairs if before and after}

    monkeypatch.setattr(probing, "GO_ON", 1)
    monkeypatch.setattr(probing, "FROM_LAST", 1)
    monkeypatch.setattr(probing, "AIMED_END", 0)
    assert kept(0) == {True}
    assert kept(1) == {False}


def test_a_moment_is_a_time_at_which_something_happened_a_millisecond_after_or_halfway_to_what_is_next() -> None:
    moments, stream = Moments(), random.Random(0)
    moments.note("a claim", 8_000)
    moments.note("a sweep", 9_000)
    moments.note("a sweep", 10_000)
    drawn = {moments.draw(stream, 1_000, 9_500) for _ in range(200)}
    assert drawn == {8_000, 8_001, 8_500, 9_000, 9_001, 9_500}
    assert moments.draw(stream, 10_001, 20_000) is None


@pytest.mark.parametrize("policy", DIRECTED)
def test_no_more_faults_are_aimed_at_than_may_strike_as_the_first_places_would_have_them_all(policy: str) -> None:
    sampler, struck = Sampler(policy, "0"), Counter[str]()
    for run in range(100 * GROUP):
        choices = Choices(sampler.begin(run)[1])
        for place in "abcdefgh":
            if choices.number("f", f"fault {place}", 0, 1, shape="rate:0.01", options=("crash",), left=1):
                struck[place] += 1
                break
    # With three aims for the one fault, all three would have to be the last place: one in five hundred.
    assert struck["h"] > struck.total() / 20


def test_a_run_that_goes_on_aims_at_another_place_if_there_is_one() -> None:
    places = {"crash": Counter({("", "a"): 1, ("", "b"): 1})}
    struck = [("crash", ("", "a"), 1)]
    for seed in range(50):
        assert more_aims(struck, places, set(), 2, random.Random(seed)) == {*struck, ("crash", ("", "b"), 1)}
    assert more_aims(struck, {"crash": Counter({("", "a"): 1})}, set(), 2, random.Random(0)) == set(struck)


def test_a_fault_is_mostly_aimed_where_it_meets_a_change_but_a_pause_anywhere() -> None:
    def share(kind: str) -> float:
        places = {kind: Counter({("", "a"): 1, ("", "b"): 1})}
        stream = random.Random(0)
        aims = [next(iter(aims_at(places, {("", "a")}, 1, stream))) for _ in range(1_000)]
        return sum(context == ("", "a") for _, context, _ in aims) / len(aims)

    assert 0.78 < share("stall") < 0.88
    assert 0.45 < share("pause") < 0.55


def held(scheduler: Scheduler, name: str) -> int:
    """A program in which something is claimed at 8 s, and a step that is held may go on at several times: at which."""
    choices = Choices(scheduler)
    observer = choices.observer
    assert observer is not None
    observer.took(Named("to 1000", "time", "time"), frozenset(), ())
    times = (2_000, 5_000, 8_000, 20_000, 60_000, 200_000)
    index = choices.number("hold/f1", f"until {name}", 0, 5, shape="uniform", instants_ms=times)
    observer.took(Named("to 8000", "time", "time"), frozenset(), ())
    observer.took(Named("f1 claims", "f1", identity=1), CLAIM, ())
    return times[index]


@pytest.mark.parametrize("policy", DIRECTED)
def test_what_is_held_often_goes_on_just_when_something_happened_in_an_earlier_run(policy: str) -> None:
    sampler = Sampler(policy, "0")
    times = Counter(held(sampler.begin(run)[1], "pause of f1") for run in range(60 * GROUP))
    assert times[8_000] > times.total() / 4
    assert len(times) == 6


@pytest.mark.parametrize("policy", DIRECTED)
def test_a_pause_lasts_and_a_hop_is_held_at_the_rate_of_the_run(policy: str) -> None:
    sampler = Sampler(policy, "0")
    kept = Counter[str]()
    for run in range(40 * GROUP):
        choices = Choices(sampler.begin(run)[1])
        kept["pause"] += choices.number("hold/f1", "hold pause of f1", 0, 1, shape="rate:0.5")
        kept["hop"] += choices.number("hold/f1", "hold f1 GET request", 0, 1, shape="rate:0.15")
    assert kept["pause"] == 40 * GROUP
    assert 0 < kept["hop"] < 20 * GROUP


@pytest.mark.parametrize("policy", DIRECTED)
def test_a_run_whose_faults_are_used_up_is_made_again_with_one_of_them_ending_elsewhere(
    policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two_stalls(scheduler: Scheduler) -> dict[str, int]:
        choices, lengths = Choices(scheduler), dict[str, int]()
        for place in "ab":
            left = 2 - len(lengths)
            if choices.number("fault/f1", f"fault {place}", 0, 1, shape="rate:0.01", options=("stall",), left=left):
                lengths[place] = choices.number("fault/f1", f"stall {place}", 700, 300_000, shape="log_uniform")
        return lengths

    for name, value in {"GO_ON": 1, "FROM_LAST": 1, "OTHER_END": 0, "AIMED_END": 0}.items():
        monkeypatch.setattr(probing, name, value)
    sampler = Sampler(policy, "0")
    lengths = [two_stalls(sampler.begin(run)[1]) for run in range(40 * GROUP)]
    pairs = [(before, after) for number, (before, after) in enumerate(pairwise(lengths), 1) if number % GROUP]
    used_up = [(before, after) for before, after in pairs if len(before) == 2]
    assert len(used_up) > 20
    assert {sum(after[place] != before[place] for place in before) for before, after in used_up} == {1}
