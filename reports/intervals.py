"""Intervals for shares that are estimated from a bounded number of runs.

The score interval of E. B. Wilson (1927), "Probable inference, the law of succession, and statistical inference", which
behaves at 0 and at all. Where the counted things come in clusters (the messages of one run share their fate), the number
of observations is first divided by the design effect (L. Kish, "Survey Sampling", 1965).
"""

import math
from dataclasses import dataclass

#: The 97.5 % quantile of the normal distribution: intervals are at 95 %.
Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share with its 95 % interval; `hits` of `of` observations."""

    hits: int
    of: int
    share: float
    low: float
    high: float

    def percent(self) -> str:
        """Such as `12 % (8–17 %)`."""
        return f"{percent(self.share)} ({percent(self.low)[:-2]}–{percent(self.high)})"


def percent(share: float) -> str:
    """A share as a percentage that one can read: whole, or with what it needs below 10 %."""
    value = 100 * share
    if value == 0 or value >= 9.95:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 0.095 else f"{value:.2g} %"


def wilson(hits: int, of: int) -> Estimate:
    """The share `hits / of` with its interval. Nothing observed: 0, and an interval from 0 to 1."""
    if of == 0:
        return Estimate(0, 0, 0.0, 0.0, 1.0)
    low, high = _bounds(hits / of, of)
    return Estimate(hits, of, hits / of, low, high)


def clustered(hits: int, of: int, clusters: int, *, hits_squared: int, product: int, of_squared: int) -> Estimate:
    """The share `hits / of` of things that come in clusters, by sums over the clusters.

    `hits_squared` is the sum of a cluster's hits squared, `product` of hits times things, `of_squared` of things squared.
    Where nothing or everything was hit, each cluster counts as one observation: the cautious reading.
    """
    if of == 0 or clusters == 0:
        return Estimate(0, 0, 0.0, 0.0, 1.0)
    share = hits / of
    if clusters < 2 or hits in (0, of):
        low, high = _bounds(share, clusters)
        return Estimate(hits, of, share, low, high)
    # The variance of a ratio estimate, from the residuals hits - share * things of the clusters.
    residuals = hits_squared - 2 * share * product + share * share * of_squared
    variance = residuals * clusters / (clusters - 1) / (of * of)
    if variance <= 0:
        return wilson(hits, of)
    effective = min(of, share * (1 - share) / variance)
    low, high = _bounds(share, effective)
    return Estimate(hits, of, share, low, high)


def _bounds(share: float, of: float) -> tuple[float, float]:
    middle = (share + Z * Z / (2 * of)) / (1 + Z * Z / of)
    half = Z / (1 + Z * Z / of) * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    # At 0 and at all the bound is exact; floating point would leave a crumb.
    return (0.0 if share == 0 else max(0.0, middle - half)), (1.0 if share == 1 else min(1.0, middle + half))
