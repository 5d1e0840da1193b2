"""What a round runs is decided from the settings and the closed rounds, and from nothing else."""

import random
from collections import Counter
from dataclasses import replace
from fractions import Fraction

from engine.exploration import GROUP
from engine.simulation.case import FAULTS, Case, Sending
from scenarios.campaign.features import FEATURES, with_features
from scenarios.campaign.plan import Batch, Campaign, SwarmPlan, round_of, shares_of
from scenarios.campaign.run import is_quiet

ASKED = Campaign(
    strategies=("lock", "lease"), scenarios=("boundary", "burst", "retry"), policies=("timed", "random"), seed=1
)
EQUAL = {"timed": Fraction(1, 2), "random": Fraction(1, 2)}


def test_a_round_is_the_same_whenever_it_is_decided() -> None:
    assert round_of(ASKED, 2, 40, EQUAL) == round_of(ASKED, 2, 40, EQUAL)


def test_another_seed_is_another_campaign() -> None:
    other = Campaign.from_json({**ASKED.to_json(), "seed": 2})
    assert round_of(ASKED, 0, 0, EQUAL) != round_of(other, 0, 0, EQUAL)


def test_every_strategy_meets_every_scenario_before_one_comes_again() -> None:
    batches = round_of(replace(ASKED, round_batches=12), 0, 0, EQUAL)
    met = Counter((batch.plan.strategy, batch.plan.scenario) for batch in batches)
    assert len(met) == 6
    assert set(met.values()) == {2}


def test_policies_have_their_shares_of_a_round() -> None:
    batches = round_of(replace(ASKED, round_batches=20), 0, 0, {"timed": Fraction(1, 4), "random": Fraction(3, 4)})
    assert Counter(batch.plan.policy for batch in batches) == {"timed": 5, "random": 15}


def test_each_batch_has_a_seed_and_a_subset_of_its_own() -> None:
    asked = Campaign.from_json({**ASKED.to_json(), "faults": list(FAULTS)})
    batches = round_of(asked, 0, 0, EQUAL)
    assert len({batch.plan.seed for batch in batches}) == len(batches)
    assert all(batch.plan.faults and set(batch.plan.faults) <= set(FAULTS) for batch in batches)
    assert len({batch.plan.faults for batch in batches}) > len(batches) // 2
    assert {feature for batch in batches for feature in batch.plan.features} == set(FEATURES)


def test_no_faults_asked_means_none_in_any_batch() -> None:
    asked = Campaign.from_json({**ASKED.to_json(), "faults": []})
    assert {batch.plan.faults for batch in round_of(asked, 0, 0, EQUAL)} == {()}


def test_batches_and_campaigns_survive_being_written_down() -> None:
    asked = Campaign.from_json({**ASKED.to_json(), "settings": [["BUFFER_DELAY_MS", "9000"]], "faults": ["crash"]})
    assert asked.settings == (("BUFFER_DELAY_MS", "9000"),)
    for batch in round_of(asked, 0, 0, EQUAL):
        assert Batch.from_json(batch.to_json()) == batch


def test_what_finds_more_has_more_runs_and_nothing_is_given_up() -> None:
    closed = [{"timed": (1_200, 300), "random": (1_200, 0)}]
    shares = shares_of(("timed", "random"), closed)
    assert shares["timed"] > shares["random"] >= Fraction(1, 8)
    assert sum(shares.values()) == 1


def test_before_the_first_round_all_policies_have_the_same_share() -> None:
    assert set(shares_of(("a", "b", "c"), []).values()) == {Fraction(1, 3)}


def closed_round(points: int, violations: int = 0) -> dict[str, int]:
    return {"new_points": points, "new_violations": violations, "runs": 100}


def test_a_campaign_is_quiet_when_rounds_add_next_to_nothing() -> None:
    assert is_quiet([closed_round(10_000)] + [closed_round(1)] * 5)
    assert not is_quiet([closed_round(10_000)] + [closed_round(1)] * 4)
    assert not is_quiet([closed_round(10_000)] + [closed_round(100)] * 5)


def test_a_new_violation_keeps_a_campaign_going() -> None:
    assert not is_quiet([closed_round(10_000), closed_round(0, 1)] + [closed_round(0)] * 4)


CASE = Case(sendings=(Sending(at_ms=0, message_id="a", text="hi", label="m1"),))


def test_every_feature_changes_a_plain_case_and_leaves_its_messages() -> None:
    for name in FEATURES:
        changed = with_features(CASE, (name,), random.Random(4))
        assert changed != CASE, name
        assert changed.sendings[0].text == "hi"


def test_a_feature_leaves_what_the_scenario_says() -> None:
    said = Case(
        sendings=(Sending(at_ms=0, message_id="a", text="hi", label="m1", repeats_ms=(5,)),),
        functions=2,
        hop_ms=(1, 4_000),
        processor_ms=(1, 2),
        retire_after_ms=7,
        clock_offsets_ms=(1,),
        provider_retries=2,
    )
    others = tuple(name for name in FEATURES if name != "someone_else")
    assert with_features(said, others, random.Random(4)) == said


def test_a_rollout_has_no_features() -> None:
    rollout = Case(sendings=CASE.sendings, rollout_from="lock")
    assert with_features(rollout, tuple(FEATURES), random.Random(4)) == rollout


def test_runs_of_one_group_face_one_case_with_its_features() -> None:
    plan = SwarmPlan(
        strategy="lease", scenario="boundary", policy="pct", seed=3, features=tuple(FEATURES), faults=FAULTS
    )
    cases = [plan.case(run) for run in range(2 * GROUP)]
    assert all(case == cases[0] for case in cases[:GROUP])
    assert cases[GROUP] != cases[0]
