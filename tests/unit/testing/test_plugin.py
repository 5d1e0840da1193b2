"""The marker says what is tried; what it asks for that is not there is refused in one line."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.testing.checking import Check
from engine.testing.plugin import pytest_generate_tests
from tests.strategies.one_by_one import OneByOne

HERE = Path(__file__).parent
STRATEGY = Path("tests/strategies/one_by_one.py")


def check_of(*args: Any, **kwargs: Any) -> Check:
    options: dict[str, Any] = {"seed": 3, "runs": None, "policy": "timed", "seconds": None, "out": Path("nowhere")}
    options |= {name.removeprefix("option_"): kwargs.pop(name) for name in list(kwargs) if name.startswith("option_")}
    scenario = kwargs.pop("scenario", "boundary")
    return Check.of_marker(args, kwargs, scenario=scenario, beside=HERE, rootdir=Path.cwd(), **options)


def test_a_strategy_is_given_as_a_class_a_name_or_a_file() -> None:
    assert check_of(OneByOne).plan.strategy == f"{STRATEGY}:OneByOne"
    assert check_of("lease").plan.strategy == "lease"
    assert check_of(f"../../strategies/{STRATEGY.name}:OneByOne").plan.strategy == f"{STRATEGY}:OneByOne"


def test_the_marker_says_faults_runs_and_settings() -> None:
    check = check_of("lease", faults="crash", fault_budget=1, runs=7, settings={"buffer_delay_ms": 9_000})
    assert (check.plan.faults, check.plan.fault_budget, check.runs) == (("crash",), 1, 7)
    assert check.plan.settings == (("BUFFER_DELAY_MS", "9000"),)


def test_a_design_that_buffers_nothing_passes_but_for_what_it_does_not_promise() -> None:
    check_of(OneByOne, runs=3, invariants=("no_loss", "no_duplicate")).check()


def test_a_violation_fails_with_the_timeline_and_the_line_that_replays_it(tmp_path: Path) -> None:
    check = check_of("lock", runs=20, invariants=("no_loss",))
    with pytest.raises(pytest.fail.Exception, match="lock violates no_loss in") as failed:
        Check(**{**vars(check), "out": tmp_path}).check()
    text = str(failed.value)
    assert "EFFECT" in text
    assert "replay: bufferproof replay " in text
    assert len(list((tmp_path / "pytest").glob("lock-boundary-*.json"))) == 1


@pytest.mark.parametrize("asked", [("no_loss", "timely"), ("timely",)])
def test_what_is_late_because_it_is_lost_is_shown_once(asked: tuple[str, ...], tmp_path: Path) -> None:
    check = check_of("lock", runs=20, invariants=asked)
    with pytest.raises(pytest.fail.Exception, match="timely in") as failed:
        Check(**{**vars(check), "out": tmp_path}).check()
    assert str(failed.value).count("replay: bufferproof replay ") == 1


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((), {}, "it takes one strategy"),
        (("lease",), {"fault": "crash"}, "it does not take fault"),
        (("leese",), {}, "did you mean lease"),
        (("lease",), {"faults": "lightning"}, "unknown fault lightning"),
        (("lease",), {"invariants": ("no_los",)}, "no_los is none: did you mean no_loss"),
        (("lease",), {"settings": {"BUFFER_DELAY": 1}}, "BUFFER_DELAY"),
        (("lease",), {"scenario": "bondary"}, "did you mean boundary"),
        ((7,), {}, "no class and no text"),
        (("lease",), {"runs": "many"}, "runs 'many' is refused: give a whole number of 1 or more"),
        (("lease",), {"runs": 0}, "runs 0 is refused"),
        (("lease",), {"fault_budget": -1}, "fault_budget -1 is refused: give a whole number of 0 or more"),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(args: tuple[Any, ...], kwargs: dict[str, Any], said: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=said) as failed:
        check_of(*args, **kwargs)
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize("scenarios", ["boundary", 7])
def test_scenarios_that_are_no_list_are_refused_in_one_line(scenarios: Any) -> None:
    marker = pytest.mark.bufferproof("lease", scenarios=scenarios).mark
    definition = SimpleNamespace(nodeid="test_mine.py::test_it", get_closest_marker=lambda name: marker)
    asked: Any = SimpleNamespace(fixturenames=["bufferproof"], definition=definition)
    with pytest.raises(pytest.fail.Exception, match=r"^test_mine.py::test_it: .* give a list, \['") as failed:
        pytest_generate_tests(asked)
    assert (failed.value.pytrace, "\n" in str(failed.value)) == (False, False)


@pytest.mark.parametrize("runs", [0, -3])
def test_an_option_that_asks_for_no_runs_is_refused_in_one_line(runs: int) -> None:
    with pytest.raises(pytest.fail.Exception, match=f"--bufferproof-runs {runs} is refused: give 1 or more"):
        check_of("lease", option_runs=runs)
