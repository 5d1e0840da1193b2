import math

import pytest

from reports.intervals import clustered, percent, wilson


def test_nothing_observed_says_nothing() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


def test_the_interval_is_wilson_s() -> None:
    # The textbook example: 1 of 10 gives 0.0179 to 0.4042.
    found = wilson(1, 10)
    assert found.low == pytest.approx(0.01788, abs=1e-4)
    assert found.high == pytest.approx(0.40415, abs=1e-4)


def test_no_hit_does_not_mean_impossible() -> None:
    found = wilson(0, 100)
    assert found.low == 0
    assert found.high == pytest.approx(0.037, abs=1e-3)
    assert wilson(100, 100).high == 1


def test_single_things_in_clusters_are_as_good_as_independent_ones() -> None:
    found = clustered(20, 100, 100, hits_squared=20, product=20, of_squared=100)
    assert (found.low, found.high) == pytest.approx((wilson(20, 100).low, wilson(20, 100).high), abs=2e-3)


def test_things_that_share_their_fate_make_a_wider_interval() -> None:
    # 25 clusters of 4: five of them hit as a whole are worth 5 of 25, not 20 of 100.
    found = clustered(20, 100, 25, hits_squared=5 * 16, product=5 * 16, of_squared=25 * 16)
    assert (found.low, found.high) == pytest.approx((wilson(5, 25).low, wilson(5, 25).high), abs=0.02)


def test_no_hit_in_clusters_counts_each_cluster_once() -> None:
    found = clustered(0, 100, 25, hits_squared=0, product=0, of_squared=400)
    assert found.high == wilson(0, 25).high


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.5, "50 %"), (0.034, "3.4 %"), (0.0004, "0.04 %"), (1, "100 %")]
)
def test_a_share_reads_as_a_percentage(share: float, text: str) -> None:
    assert percent(share) == text
    assert not math.isnan(share)
