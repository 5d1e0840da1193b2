"""What a campaign runs: its settings, and the list of batches that makes each round.

A round is decided from the settings and the closed rounds alone: which strategy meets which scenario, under which policy,
with which faults and features. So neither the number of processes nor their speed changes what is run.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from engine.exploration import group_start
from engine.simulation.case import FAULTS, Case
from scenarios.batch import Plan
from scenarios.campaign.features import FEATURES, with_features

#: Runs of one batch: long beside the cost of handing it out, short beside a round.
BATCH_RUNS = 25
#: Batches of one round: enough to keep a dozen processes busy, and a minute or two on two.
ROUND_BATCHES = 96
TRIALS = (150, 60)
#: Of its fair share of the runs, a policy keeps at least this much however little it finds.
LEAST_SHARE = Fraction(1, 4)
#: Closed rounds that the shares of the next one look back on.
LOOK_BACK = 6


@dataclass(frozen=True, kw_only=True)
class SwarmPlan(Plan):
    """A plan whose cases have features switched on."""

    features: tuple[str, ...] = ()

    def case(self, run: int) -> Case | None:
        """The case of run number `run`, with the features of its batch."""
        case = super().case(run)
        if case is None or not self.features:
            return case
        # Runs of one group face one case, features and all.
        first = group_start(self.policy, run)
        return with_features(case, self.features, random.Random(f"{self.seed}/{self.scenario}/{first}/features"))


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """What is asked of a campaign: everything that its results depend on, but for where it stops."""

    strategies: tuple[str, ...]
    scenarios: tuple[str, ...]
    policies: tuple[str, ...]
    faults: tuple[str, ...] | None = None
    fault_budget: int | None = None
    seed: int = 0
    settings: tuple[tuple[str, str], ...] = ()
    batch_runs: int = BATCH_RUNS
    round_batches: int = ROUND_BATCHES
    #: Trials for making small the first failure of a kind, and for the others.
    trials: tuple[int, int] = TRIALS

    def to_json(self) -> dict[str, Any]:
        """As it is written to the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Campaign":
        """As it was read from the store."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()
        }
        values["settings"] = tuple((str(name), str(value)) for name, value in plain["settings"])
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Some runs of one plan: the unit that a process works on, and that is counted as a whole or not at all."""

    number: int
    plan: SwarmPlan
    runs: int

    def to_json(self) -> dict[str, Any]:
        """As it is written to the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Batch":
        """As it was read from the store."""
        plan: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in plain["plan"].items()
        }
        plan["settings"] = tuple((str(name), str(value)) for name, value in plain["plan"]["settings"])
        return cls(number=plain["number"], plan=SwarmPlan(**plan), runs=plain["runs"])


def round_of(campaign: Campaign, number: int, first: int, shares: Mapping[str, Fraction]) -> list[Batch]:
    """The batches of round `number`, the first of them numbered `first`."""
    rng = random.Random(f"{campaign.seed}/campaign/round/{number}")
    batches = []
    for place, policy in enumerate(_dealt(shares, campaign.round_batches, rng), first):
        strategy, scenario = _pair(campaign, place)
        plan = _swarm(campaign, place, strategy, scenario, policy)
        batches.append(Batch(number=place, plan=plan, runs=campaign.batch_runs))
    return batches


def _pair(campaign: Campaign, number: int) -> tuple[str, str]:
    """The strategy and scenario of a batch: all pairs in a drawn order, then all again in another."""
    pairs = [(strategy, scenario) for strategy in campaign.strategies for scenario in campaign.scenarios]
    lap, place = divmod(number, len(pairs))
    random.Random(f"{campaign.seed}/campaign/lap/{lap}").shuffle(pairs)
    return pairs[place]


def _dealt(shares: Mapping[str, Fraction], count: int, rng: random.Random) -> list[str]:
    """Which policy each of `count` batches has: in the given shares (largest remainders), in a drawn order."""
    total = sum(shares.values())
    exact = {name: share * count / total for name, share in shares.items()}
    dealt = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(shares, key=lambda name: (dealt[name] - exact[name], name))
    for name in by_remainder[: count - sum(dealt.values())]:
        dealt[name] += 1
    policies = [name for name in shares for _ in range(dealt[name])]
    rng.shuffle(policies)
    return policies


def _swarm(campaign: Campaign, number: int, strategy: str, scenario: str, policy: str) -> SwarmPlan:
    rng = random.Random(f"{campaign.seed}/campaign/batch/{number}")
    return SwarmPlan(
        strategy=strategy,
        scenario=scenario,
        policy=policy,
        # Every batch has a seed of its own, so that its runs can be numbered from 0 and repeated by themselves.
        seed=int.from_bytes(hashlib.sha256(f"{campaign.seed}/{number}".encode()).digest()[:6]),
        settings=campaign.settings,
        faults=_subset_of_faults(campaign.faults, rng),
        fault_budget=campaign.fault_budget,
        features=_features(rng),
    )


def _features(rng: random.Random) -> tuple[str, ...]:
    return () if rng.random() < 0.25 else tuple(name for name in FEATURES if rng.random() < 0.3)


def _subset_of_faults(asked: tuple[str, ...] | None, rng: random.Random) -> tuple[str, ...] | None:
    """A random subset of the kinds asked for. None asked for: half of the batches have what their scenario says."""
    if asked is None:
        if rng.random() < 0.5:
            return None
        asked = FAULTS
    if len(asked) < 2 or rng.random() < 0.2:
        return asked
    share = rng.choice([0.2, 0.5])
    return tuple(kind for kind in asked if rng.random() < share) or (rng.choice(asked),)


def shares_of(policies: tuple[str, ...], closed: Sequence[Mapping[str, tuple[int, int]]]) -> dict[str, Fraction]:
    """The policies' shares of the next round, from the closed ones: policy → (runs, points that were new) of each round.

    In proportion to the new points a run, but none less than a quarter of its fair share: what found nothing lately may be
    what finds the next thing.
    """
    recent = closed[-LOOK_BACK:]
    rates = {}
    for policy in policies:
        runs = sum(each.get(policy, (0, 0))[0] for each in recent)
        new = sum(each.get(policy, (0, 0))[1] for each in recent)
        rates[policy] = Fraction(new + 1, runs + 100)
    total = sum(rates.values())
    fair = Fraction(1, len(policies))
    floor = fair * LEAST_SHARE
    return {policy: floor + (1 - floor * len(policies)) * rate / total for policy, rate in rates.items()}
