"""The policies on toy programs: the same seed makes the same runs, each run replays, and their probabilities are the stated ones."""

from collections import Counter
from itertools import pairwise
from math import comb

import pytest

from engine.exploration import DIRECTED, GROUP, ROUND, SAMPLED, SEARCHES, Replay, Sampler, policy_of, shares_after
from engine.exploration import pct as pct_module
from tests.unit.exploration.toy import play

STEPPED = [name for name in SAMPLED if name != "timed"]
#: Two actors that each read and then write: an update is lost if both read first.
RACE = {"a": 2, "b": 2}
LOST = {"aabb", "bbaa"}

every_policy = pytest.mark.parametrize("policy", [*STEPPED])


def orders(policy: str, actors: dict[str, int], runs: int, seed: str = "0") -> list[str]:
    sampler = Sampler(policy, seed)
    return [play(actors, sampler.begin(run)[1], "k")[0] for run in range(runs)]


@every_policy
def test_the_same_seed_makes_the_same_runs_and_another_seed_others(policy: str) -> None:
    actors = {"a": 4, "b": 4, "c": 4}
    assert orders(policy, actors, 40) == orders(policy, actors, 40)
    assert orders(policy, actors, 40) != orders(policy, actors, 40, seed="1")


@every_policy
def test_a_run_depends_on_its_group_alone(policy: str) -> None:
    sampler = Sampler(policy, "0")
    later = [play(RACE, sampler.begin(run)[1], "k")[0] for run in range(4 * GROUP, 5 * GROUP)]
    assert orders(policy, RACE, 5 * GROUP)[4 * GROUP :] == later


@every_policy
def test_every_run_replays_from_its_deviations(policy: str) -> None:
    sampler = Sampler(policy, "0")
    for run in range(30):
        order, deviations = play({"a": 3, "b": 3}, sampler.begin(run)[1], "k", sites=("a2", "b1"))
        assert play({"a": 3, "b": 3}, Replay(deviations, stepped=True), "k", sites=("a2", "b1"))[0] == order


@every_policy
def test_a_lost_update_is_found_soon(policy: str) -> None:
    assert any(order not in LOST for order in orders(policy, RACE, 20))


@pytest.mark.parametrize("policy", SEARCHES)
def test_a_search_tries_every_order_of_a_toy_and_ends(policy: str) -> None:
    walk, found = SEARCHES[policy](), set()
    while walk.new_run(walk.runs):
        order, deviations = play(RACE, walk, "k")
        assert play(RACE, Replay(deviations, stepped=True), "k")[0] == order
        found.add(order)
    assert walk.exhausted
    assert len(found) == comb(4, 2)


def chi_square(counts: Counter[str], classes: int) -> float:
    expected = counts.total() / classes
    return sum((count - expected) ** 2 / expected for count in counts.values()) + expected * (classes - len(counts))


def test_urw_is_uniform_over_the_interleavings_of_actors_that_do_not_wait_for_each_other() -> None:
    actors = {"a": 4, "b": 2}
    runs = orders("urw", actors, 400 * GROUP)
    counts = Counter(order for run, order in enumerate(runs) if run % GROUP)
    # 14 degrees of freedom: beyond 36.1 lies one in a thousand.
    assert len(counts) == comb(6, 2)
    assert chi_square(counts, comb(6, 2)) < 36.1
    plain = Counter(orders("random", actors, 1_600))
    assert chi_square(plain, comb(6, 2)) > 36.1, "the plain walk is not uniform, so the test can tell"


def test_pct_without_change_points_runs_the_actors_one_after_the_other_each_order_equally_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pct_module, "DEPTHS", (1,))
    runs = orders("pct", {"a": 3, "b": 3, "c": 3}, 300 * GROUP)
    counts = Counter(order for run, order in enumerate(runs) if run % GROUP)
    assert set(counts) == {"aaabbbccc", "aaacccbbb", "bbbaaaccc", "bbbcccaaa", "cccaaabbb", "cccbbbaaa"}
    assert chi_square(counts, 6) < 20.5  # 5 degrees of freedom, one in a thousand


def test_a_change_point_interrupts_an_actor_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pct_module, "DEPTHS", (2,))
    runs = orders("pct", {"a": 4, "b": 4}, 200 * GROUP)
    interrupted = {order for run, order in enumerate(runs) if run % GROUP}
    assert {"abbbbaaa", "aabbbbaa", "baaaabbb"} <= interrupted
    assert all(sum(x != y for x, y in pairwise(order)) <= 3 for order in interrupted)


@pytest.mark.parametrize("policy", DIRECTED)
def test_a_directed_policy_places_a_fault_at_each_of_the_places_that_its_probe_saw(policy: str) -> None:
    sampler, sites = Sampler(policy, "0"), ("a1", "a5", "b3", "b6")
    struck: Counter[int] = Counter()
    for run in range(40 * GROUP):
        order, _ = play({"a": 6, "b": 6}, sampler.begin(run)[1], "", sites)
        struck[order.count("!")] += 1
        assert run % GROUP or "!" not in order, "a probe strikes nowhere"
    assert struck[1] > 40


def test_half_of_the_portfolio_s_first_round_is_timed_and_random_and_each_directed_policy_has_its_turns() -> None:
    turns = Counter(policy_of(run) for run in range(ROUND))
    assert turns == {"timed": 30, "random": 20, "pct": 20, "pos": 15, "urw": 15}


def test_what_the_first_round_did_not_find_is_aimed_at() -> None:
    turns = Counter(policy_of(run) for run in range(ROUND, 13 * ROUND))
    assert turns["timed"] + turns["random"] == 300
    assert {name: turns[name] for name in DIRECTED} == {"pct": 600, "pos": 150, "urw": 150}
    assert {policy_of(run) in DIRECTED for run in range(ROUND, ROUND + GROUP)} == {False}, (
        "a round begins with a unit of its own"
    )


def test_a_directed_policy_that_found_more_gets_more_turns_and_none_goes_without() -> None:
    turns = Counter(policy_of(run, shares_after({"pos": 8, "urw": 2})) for run in range(ROUND, 13 * ROUND))
    assert turns["pos"] > turns["urw"] >= turns["pct"] > 0
    assert shares_after({"timed": 9}) is None


def test_a_run_in_the_midst_of_a_group_is_refused_without_its_probe() -> None:
    with pytest.raises(ValueError, match="begins with run 5"):
        Sampler("pct", "0").begin(7)
    assert Sampler("pct", "0").first_needed(7) == 5
    assert Sampler("random", "0").first_needed(7) == 7
