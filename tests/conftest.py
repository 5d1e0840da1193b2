"""Hypothesis profiles and marks for all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No wall-clock deadlines: they judge the machine, not the code.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=50, deadline=None, derandomize=True, print_blob=True)
settings.register_profile(
    "nightly", max_examples=2_000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)

CORPUS = Path(__file__).parent / "corpus"
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "dev")
settings.load_profile(PROFILE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The corpus first: it takes seconds and says most. Then the slow ones, so that no process is left with one at the end.

    The long searches are left to the nightly run.
    """
    items.sort(key=lambda item: (item.path.parent != CORPUS, item.get_closest_marker("slow") is None))
    if PROFILE == "nightly":
        return
    for item in items:
        if item.get_closest_marker("nightly"):
            item.add_marker(pytest.mark.skip(reason="runs with HYPOTHESIS_PROFILE=nightly"))
