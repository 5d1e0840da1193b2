"""The catalogue: what is drawn is valid, and depends on nothing but the random stream."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.buffer import Message, Settings
from engine.buffer.errors import UsageError
from engine.buffer.webhook import parse_webhook
from engine.simulation.case import DAGGER_FAULTS, FAULTS, PROCESSOR_FAILURES, Case
from engine.simulation.provider import webhook_body
from engine.verification import INVARIANTS
from scenarios import SCENARIOS, Scenario
from scenarios.selection import chosen_faults, find_scenario, find_strategy

DRAWS = 60
HOUR_MS = 3_600_000
#: What a scenario may depend on: which strategy it is drawn for.
STRATEGIES = ("baseline", "lock", "lua", "fenced_lock", "lease")

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)


def drawn(scenario: Scenario, strategy: str | None = None) -> Iterator[Case]:
    if strategy is None:
        strategy = "lua" if scenario.name == "small_rollback" else "lock"
    for seed in range(DRAWS):
        case = scenario.sample(random.Random(seed), strategy)
        assert case is not None
        yield case


def text_of(case: Case) -> str:
    return json.dumps(case.to_json())


@every_scenario
def test_the_same_random_stream_draws_the_same_case(scenario: Scenario) -> None:
    assert [text_of(case) for case in drawn(scenario)] == [text_of(case) for case in drawn(scenario)]


@every_scenario
def test_different_random_streams_draw_different_cases(scenario: Scenario) -> None:
    if scenario.cases is not None:
        return
    assert len({text_of(case) for case in drawn(scenario)}) > DRAWS / 4


@every_scenario
def test_a_case_survives_being_written_down(scenario: Scenario) -> None:
    for case in drawn(scenario):
        assert Case.from_json(json.loads(text_of(case))) == case


@every_scenario
def test_all_strategies_of_one_run_face_the_same_case_but_in_a_rollout(scenario: Scenario) -> None:
    if scenario.name == "mixed_rollout":
        return
    for seed in range(DRAWS):
        cases = [scenario.sample(random.Random(seed), strategy) for strategy in STRATEGIES]
        assert len({repr(case) for case in cases if case is not None}) == 1


def test_a_design_that_holds_is_not_judged_by_what_lua_loses_before_it_stops() -> None:
    for name in ("small_rollout", "small_rollout_late"):
        assert SCENARIOS[name].sample(random.Random(0), "lease") is None
        assert SCENARIOS[name].sample(random.Random(0), "lock") is not None
    assert SCENARIOS["small_rollback"].sample(random.Random(0), "lease") is None


@every_scenario
def test_every_message_would_be_taken_by_the_webhook(scenario: Scenario) -> None:
    for case in drawn(scenario):
        settings = Settings.fixed(given=dict(case.settings))
        for sending in case.sendings:
            message = parse_webhook(json.loads(webhook_body(sending)), settings)
            assert isinstance(message, Message)
            assert (message.message_id, message.text, message.data) == (sending.message_id, sending.text, sending.data)


@every_scenario
def test_times_and_names_are_within_bounds(scenario: Scenario) -> None:
    for case in drawn(scenario):
        labels = [sending.label for sending in case.sendings]
        assert labels
        assert len(labels) == len(set(labels))
        assert all(0 <= sending.at_ms <= 6 * HOUR_MS for sending in case.sendings)
        assert all(0 <= ms <= HOUR_MS for sending in case.sendings for ms in sending.repeats_ms)
        assert min(sending.at_ms for sending in case.sendings) <= 5_000, "a run begins with something"
        for low, high in (case.hop_ms, case.processor_ms):
            assert 0 < low <= high
        assert case.processor_ms[1] <= 90_000, "longer than that is a fault, and has its own scenario"
        assert case.functions >= 1
        assert case.judged is None or set(case.judged) <= set(INVARIANTS)


@every_scenario
def test_faults_are_known_and_end_before_the_run_heals(scenario: Scenario) -> None:
    for case in drawn(scenario):
        assert set(case.faults) <= {*FAULTS, *DAGGER_FAULTS}
        assert scenario.dagger or not set(case.faults) & set(DAGGER_FAULTS)
        assert set(case.processor_failures) <= {*PROCESSOR_FAILURES, "ok"}
        if case.faults:
            assert case.fault_budget > 0
            assert 0 < case.fault_rate <= 1
            assert case.heal_ms >= 4_000, "there is time for a fault to strike"
        assert all(start < end <= case.heal_ms for start, end in case.outages_ms)
        assert case.rollout_at_ms <= case.heal_ms


def test_every_kind_of_fault_has_a_scenario_of_its_own() -> None:
    for kind in (*FAULTS, *DAGGER_FAULTS):
        scenario = SCENARIOS[f"fault_{kind}" if kind in FAULTS else kind]
        assert scenario.dagger == (kind in DAGGER_FAULTS)
        assert {case.faults for case in drawn(scenario)} == {(kind,)}


def test_only_scenarios_beyond_any_design_are_off_unless_asked_for() -> None:
    assert {name for name, scenario in SCENARIOS.items() if scenario.dagger} == set(DAGGER_FAULTS)


def test_the_main_job_is_the_scenarios_around_the_end_of_the_window() -> None:
    main = {name for name, scenario in SCENARIOS.items() if scenario.main}
    assert main == {
        "boundary",
        "burst",
        "during_processing",
        "grace_wait",
        "next_burst",
        "real_chat",
        "retry",
        "slow_holder",
        "two_conversations",
    }


@every_scenario
def test_a_scenario_says_in_one_short_line_what_it_is(scenario: Scenario) -> None:
    assert scenario.name in SCENARIOS
    assert 10 <= len(scenario.summary) <= 90
    assert "\n" not in scenario.summary
    assert scenario.runs > 0


def field_of(name: str, field: str) -> list[Any]:
    return [getattr(case, field) for case in drawn(SCENARIOS[name])]


def test_boundary_has_messages_in_the_very_milliseconds_of_the_edges() -> None:
    offsets = {sending.at_ms for case in drawn(SCENARIOS["boundary"]) for sending in case.sendings}
    assert {7_500, 8_000, 8_500} <= offsets


def test_two_conversations_are_distinct_pairs_that_a_colon_joins_to_the_same_text() -> None:
    for case in drawn(SCENARIOS["two_conversations"]):
        pairs = {(sending.instance_name, sending.user_phone) for sending in case.sendings}
        assert len(pairs) == 2
        assert len({":".join(pair) for pair in pairs}) == 1


def test_retry_tries_each_kind_of_failure_and_up_to_five_of_them() -> None:
    scenario = SCENARIOS["retry"]
    cases = [case for seed in range(400) if (case := scenario.sample(random.Random(seed), "lock")) is not None]
    assert {kind for case in cases for kind in case.processor_failures} == set(PROCESSOR_FAILURES)
    assert {len(case.processor_failures) for case in cases} == {0, 1, 2, 3, 4, 5}
    assert {case.endpoint_failures for case in cases} == {0, 1, 2, 3, 4, 5}


def test_a_late_mark_comes_after_the_buffer_could_have_ended() -> None:
    assert all(processor_ms[1] + 8_000 > 15_000 for processor_ms in field_of("late_mark", "processor_ms"))
    assert any(processor_ms[1] > 60_000 for processor_ms in field_of("late_mark", "processor_ms"))


def test_a_cleaned_up_buffer_lives_longer_than_the_plan_lets_it() -> None:
    assert all(settings["PROCESSED_BUFFER_TTL"] > 600 for settings in field_of("cleanup_race", "settings"))


def test_only_the_cluster_scenario_is_a_cluster() -> None:
    for name in SCENARIOS:
        assert set(field_of(name, "cluster")) == {name == "cluster"}


def test_a_rollout_concerns_the_designs_that_follow_one_another() -> None:
    scenario = SCENARIOS["mixed_rollout"]
    assert scenario.sample(random.Random(0), "fenced_lock") is None
    pairs = {(case.rollout_from, new) for new in ("lock", "lua", "baseline", "lease") for case in drawn(scenario, new)}
    assert pairs == {
        ("baseline", "lock"),
        ("lua", "lock"),
        ("lease", "lock"),
        ("lock", "lua"),
        ("lease", "lua"),
        ("lock", "baseline"),
        ("lua", "lease"),
        ("lock", "lease"),
    }


def test_a_rollout_to_or_from_lease_is_judged_by_what_the_old_design_can_keep() -> None:
    for new in ("lock", "lua", "baseline", "lease"):
        for case in drawn(SCENARIOS["mixed_rollout"], new):
            expected = ("no_loss", "integrity") if "lease" in (new, case.rollout_from) else None
            assert case.judged == expected


def test_a_rollout_to_lease_stops_the_old_functions_before_they_read_a_batch() -> None:
    for case in drawn(SCENARIOS["mixed_rollout"], "lease"):
        assert case.rollout_at_ms < 8_000


def test_kinds_with_few_sites_strike_at_a_rate_that_makes_them_strike() -> None:
    assert min(field_of("fault_processor_failure", "fault_rate")) >= 0.3
    assert min(field_of("fault_webhook_repeated", "fault_rate")) >= 0.3


def test_hostile_payloads_hold_what_breaks_parsers() -> None:
    texts = [text_of(case) for case in drawn(SCENARIOS["hostile_payloads"])]
    for needle in ("\\ud800", "1234567890123456789", '"empty": []', "{a}", "line\\nbreak", "another text"):
        assert any(needle in text for text in texts), needle


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            lambda: find_scenario("boundry"),
            "boundary or small_boundary? `bufferproof scenarios` lists all, or give path",
        ),
        (lambda: find_strategy("lok"), "unknown strategy lok: did you mean lock? there are baseline,"),
        (lambda: chosen_faults(["crahs"]), "unknown fault crahs: did you mean crash? there are none, all, stall,"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(ask: Callable[[], object], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        ask()
    assert said in str(refused.value)
    assert len(str(refused.value)) < 300
