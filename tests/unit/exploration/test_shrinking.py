from hypothesis import given
from hypothesis import strategies as st

from engine.exploration.shrinking import Budget, BudgetSpent, minimise_list, minimise_mapping, simplest_number


@given(items=st.lists(st.integers(0, 20), unique=True), needed=st.sets(st.integers(0, 20), max_size=4))
def test_a_list_is_shrunk_to_exactly_what_the_failure_needs(items: list[int], needed: set[int]) -> None:
    needed &= set(items)
    assert minimise_list(items, lambda kept: needed <= set(kept)) == [item for item in items if item in needed]


@given(items=st.lists(st.integers(0, 9), max_size=12), least=st.integers(0, 12))
def test_nothing_that_a_shrunk_list_keeps_can_be_left_out(items: list[int], least: int) -> None:
    def fails(kept: list[int]) -> bool:
        return sum(kept) >= least

    if fails(items):
        kept = minimise_list(items, fails)
        assert fails(kept)
        assert not any(fails(kept[:place] + kept[place + 1 :]) for place in range(len(kept)))


def test_a_mapping_keeps_the_values_of_the_keys_that_are_needed() -> None:
    deviations = {"a#1": 4, "b#1": 5, "c#1": 6}
    assert minimise_mapping(deviations, lambda kept: kept.get("b#1") == 5) == {"b#1": 5}
    assert minimise_mapping(deviations, lambda kept: True) == {}


def test_a_number_becomes_as_round_as_the_failure_allows() -> None:
    assert simplest_number(7_613, lambda number: number > 7_500) == 8_000
    assert simplest_number(7_613, lambda number: 7_600 <= number < 7_700) == 7_600
    assert simplest_number(7_613, lambda number: number == 7_613) == 7_613
    assert simplest_number(3_000, lambda number: False) == 3_000


def test_a_budget_ends() -> None:
    budget = Budget(2)
    budget.spend()
    budget.spend()
    try:
        budget.spend()
    except BudgetSpent:
        return
    raise AssertionError("a spent budget must say so")
