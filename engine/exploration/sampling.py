"""The policies that sample: which there are, and how runs get theirs by number."""

from collections.abc import Callable

from engine.exploration.portfolio import DIRECTED, Portfolio, Shares, policy_of
from engine.exploration.probing import GROUP
from engine.exploration.random_walk import RandomWalk
from engine.exploration.scheduler import Scheduler
from engine.exploration.timed import Timed

#: The policies that make one run after the other, each from its number.
SAMPLED: dict[str, Callable[[str], Scheduler]] = {"timed": Timed, "random": RandomWalk, **DIRECTED}


def group_start(policy: str, run: int) -> int:
    """The number of the run whose case this run has: its own, or that of its group's first run."""
    grouped = policy in DIRECTED or (policy == "portfolio" and policy_of(run) in DIRECTED)
    return run - run % GROUP if grouped else run


class Sampler:
    """The policy of a series of runs. A run of a directed policy needs the runs of its group before it."""

    def __init__(self, policy: str, seed: str, shares: Shares | None = None) -> None:
        self._policy = policy
        self._shares = shares
        self._portfolio = Portfolio(seed, shares)
        self._one: Scheduler | None = None if policy == "portfolio" else SAMPLED[policy](seed)

    def first_needed(self, run: int) -> int:
        """The first run that must be made for this one to be made."""
        policy = policy_of(run, self._shares) if self._one is None else self._policy
        return group_start(policy, run)

    def begin(self, run: int) -> tuple[str, Scheduler]:
        """The name of the policy whose run this is, and its scheduler, which has begun it."""
        if self._one is None:
            return self._portfolio.begun(run)
        self._one.new_run(run)
        return self._policy, self._one
