"""Every planted bug is found: a mutant that is not is a defect of the harness."""

import pytest

from scenarios.batch import Plan, run_batch
from scenarios.catalogue import SCENARIOS
from scenarios.planted import PLANTED, RARE_MUTANTS, where_to_look

#: The budget is in rounds over where to look first, then over all scenarios; five runs each.
ROUNDS = 40
BATCH = 5
#: It takes about a hundred runs: looked for like the rare ones.
SELDOM = {*RARE_MUTANTS, "planted_give_back_without_token", "planted_dead_letter_moved_first"}

#: Where they show soonest, for those that would take seconds to come to it.
SOONEST = {
    "planted_ambiguous_member": ("two_conversations",),
    "planted_busy_claim_disarms": ("held_up",),
    "planted_fence_goes_back": ("boundary",),
    "planted_fenced_failures_stay": ("attempts_used_up",),
    "planted_two_in_flight": ("cluster",),
}


def runs_to_find(mutant: str, rounds: int = ROUNDS) -> int | None:
    """How many runs it took until one violated an invariant that the real class holds."""
    first = SOONEST.get(mutant) or where_to_look(mutant)
    names = [*first, *(name for name, each in SCENARIOS.items() if not each.dagger and name not in first)]
    total = 0
    for number in range(rounds):
        for scenario in names if number == rounds - 1 else first:
            start = BATCH * number
            plan = Plan(strategy=mutant, scenario=scenario, policy="portfolio", seed=0)
            tally = run_batch(plan, start, start + BATCH)
            if tally.first_violation:
                return total + min(tally.first_violation.values()) - start + 1
            total += tally.runs
    return None


@pytest.mark.slow
@pytest.mark.parametrize("mutant", [name for name in PLANTED if name not in SELDOM])
def test_the_planted_bug_is_found(mutant: str) -> None:
    assert runs_to_find(mutant) is not None


@pytest.mark.nightly
@pytest.mark.parametrize("mutant", sorted(SELDOM))
def test_the_rare_planted_bug_is_found(mutant: str) -> None:
    assert runs_to_find(mutant, rounds=40 * ROUNDS) is not None
