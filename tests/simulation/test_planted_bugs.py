"""Every planted bug is found: a mutant that is not is a defect of the harness."""

import pytest

from scenarios.batch import Plan, run_batch
from scenarios.catalogue import SCENARIOS
from scenarios.planted import PLANTED

#: Where to look first; then all others. The budget is in rounds over all of them, five runs each.
FIRST = ("boundary", "retry", "steady", "any_fault", "cluster", "webhook_repeats", "two_conversations", "skewed_clocks")
ROUNDS = 40
BATCH = 5
#: Bugs that need two rare things at once are looked for where these are.
WHERE = {
    "planted_finish_without_token": ("steady_failures",),
    "planted_give_back_without_token": ("steady",),
    "planted_repeat_not_armed": ("fault_crash", "any_fault"),
    "planted_lease_forever": ("fault_crash", "any_fault"),
    "planted_sweep_by_skewed_clock": ("skewed_clocks", "steady"),
}


def runs_to_find(mutant: str) -> int | None:
    """How many runs it took until one violated an invariant that `lease` holds."""
    first = WHERE.get(mutant, FIRST)
    names = [*first, *(name for name, each in SCENARIOS.items() if not each.dagger and name not in first)]
    total = 0
    for number in range(ROUNDS if mutant not in WHERE else 4 * ROUNDS):
        for scenario in names if number == ROUNDS - 1 else first:
            start = BATCH * number
            plan = Plan(strategy=mutant, scenario=scenario, policy="portfolio", seed=0)
            tally = run_batch(plan, start, start + BATCH)
            if tally.first_violation:
                return total + min(tally.first_violation.values()) - start + 1
            total += tally.runs
    return None


#: It shows only if a stalled give-back meets another batch that then fails as often as it may: thousands of runs.
RARE = "planted_give_back_without_token"


@pytest.mark.nightly
def test_the_rarest_planted_bug_is_found() -> None:
    assert runs_to_find(RARE) is not None


@pytest.mark.slow
@pytest.mark.parametrize("mutant", [name for name in PLANTED if name != RARE])
def test_the_planted_bug_is_found(mutant: str) -> None:
    assert runs_to_find(mutant) is not None
