"""Every failure worth keeping is still found, exactly as it was recorded: what the harness saw once it must not lose.

The tests of this file come before all others, fastest first (see tests/conftest.py). They are the command
`python -m scenarios.corpus check tests/corpus`.
"""

from pathlib import Path

import pytest

from scenarios.corpus import check, files_of
from scenarios.corpus.filling import missing

FOLDER = Path(__file__).parent


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in files_of(FOLDER)])
def test_a_failure_worth_keeping_is_still_there(path: Path) -> None:
    kept = check(path)
    if not kept.passes:
        pytest.fail(str(kept), pytrace=False)
    if kept.others:
        pytest.xfail(str(kept))  # other libraries took another way to the same failure: seen with -rx


def test_the_corpus_has_every_known_race_of_the_plan_and_every_field_design() -> None:
    assert not [each.name for each in missing(FOLDER)], "add them: python -m scenarios.corpus fill tests/corpus"
