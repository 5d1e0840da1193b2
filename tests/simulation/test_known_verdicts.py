"""The reviewed verdicts: the day the harness stops finding a known violation, or finds a new one, this fails."""

import os

import pytest

from scenarios.expectations import compare
from scenarios.survey import survey


@pytest.mark.slow
def test_every_known_violation_is_found_and_no_new_one() -> None:
    differences = compare(survey(jobs=min(2, os.cpu_count() or 1)))
    assert [str(difference) for difference in differences] == []
