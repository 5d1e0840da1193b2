"""What pytest loads: options, the marker and the fixture `bufferproof`, and profiles for Hypothesis.

pytest imports this module in every run of every project that has bufferproof installed, so it imports nothing itself; the
simulator is loaded when the first test asks for the fixture.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from engine.testing.checking import Check

MARKER = (
    "bufferproof(strategy, scenarios=None, faults=None, fault_budget=None, invariants=None, runs=None, settings=None):"
    " run a strategy (a class, a name or file.py:Class) through scenarios, a test item each; needs the fixture bufferproof"
)
#: Beginning of the names of the profiles for Hypothesis.
PROFILE = "bufferproof"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, all with a default that tests in seconds."""
    group = parser.getgroup("bufferproof", "message buffers in simulated time")
    group.addoption("--bufferproof-seed", type=int, default=0, metavar="K", help="all randomness comes from it")
    group.addoption(
        "--bufferproof-runs", type=int, metavar="N", help="runs of each test (default: the marker's, or 50)"
    )
    group.addoption(
        "--bufferproof-explore", metavar="POLICY", default="portfolio", help="who chooses what happens next"
    )
    group.addoption(
        "--bufferproof-seconds", type=float, metavar="S", help="begin no further runs of a test after so long"
    )
    group.addoption(
        "--bufferproof-out",
        type=Path,
        metavar="DIR",
        help="where traces of failures go (default: .bufferproof in rootdir)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; register the profiles for Hypothesis where one of them is asked for."""
    config.addinivalue_line("markers", MARKER)
    profile = config.getoption("hypothesis_profile", default=None)
    if isinstance(profile, str) and profile.startswith(PROFILE):
        from engine.testing.profiles import register

        register()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that uses the fixture becomes one for each scenario."""
    if "bufferproof" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("bufferproof")
    if marker is None:
        pytest.fail(
            f"{metafunc.definition.nodeid} uses the fixture bufferproof: mark it with"
            ' @pytest.mark.bufferproof("file.py:Class")',
            pytrace=False,
        )
    names = marker.kwargs.get("scenarios")
    if names is None:
        from engine.testing.checking import default_scenarios

        names = default_scenarios()
    if isinstance(names, str) or not isinstance(names, Iterable):
        pytest.fail(
            f"{metafunc.definition.nodeid}: the marker's scenarios {names!r} is no list: give a list, [{str(names)!r}]",
            pytrace=False,
        )
    metafunc.parametrize("bufferproof", names, indirect=True, ids=[_id(name) for name in names])


def _id(name: str) -> str:
    return name.rpartition(":")[2] if ".py:" in name else name


@pytest.fixture
def bufferproof(request: pytest.FixtureRequest) -> "Check":
    """The check of one strategy in one scenario: `bufferproof.check()` runs it and fails the test on a violation."""
    from engine.testing.checking import Check

    marker = request.node.get_closest_marker("bufferproof")
    option = request.config.getoption
    rootdir = request.config.rootpath
    return Check.of_marker(
        marker.args,
        marker.kwargs,
        scenario=request.param,
        beside=request.path.parent,
        rootdir=rootdir,
        seed=option("--bufferproof-seed"),
        runs=option("--bufferproof-runs"),
        policy=option("--bufferproof-explore"),
        seconds=option("--bufferproof-seconds"),
        out=option("--bufferproof-out") or rootdir / ".bufferproof",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many runs the tests were, if there were any in this process."""
    checking = sys.modules.get("engine.testing.checking")
    if checking is not None and checking.RUNS:
        terminalreporter.write_line(f"bufferproof: {checking.RUNS.total():,} simulated runs")
