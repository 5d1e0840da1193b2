"""Who chooses: the scheduler protocol, one policy a file, choice recording, replay and shrinking."""

from engine.exploration.dpor import Dpor
from engine.exploration.exhaustive import Exhaustive
from engine.exploration.independence import conflict
from engine.exploration.pct import Pct
from engine.exploration.portfolio import DIRECTED, ROUND, Portfolio, Shares, policy_of, shares_after
from engine.exploration.pos import Pos
from engine.exploration.probing import GROUP
from engine.exploration.random_walk import RandomWalk
from engine.exploration.sampling import SAMPLED, Sampler, group_start
from engine.exploration.scheduler import Abandoned, Choices, Draw, Footprint, Observer, Pending, Replay, Scheduler
from engine.exploration.timed import Timed
from engine.exploration.tree import TreeWalk
from engine.exploration.urw import Urw

#: The policies that go through the whole tree of a case.
SEARCHES: dict[str, type[TreeWalk]] = {"exhaustive": Exhaustive, "dpor": Dpor}

__all__ = [
    "DIRECTED",
    "GROUP",
    "ROUND",
    "SAMPLED",
    "SEARCHES",
    "Abandoned",
    "Choices",
    "Dpor",
    "Draw",
    "Exhaustive",
    "Footprint",
    "Observer",
    "Pct",
    "Pending",
    "Portfolio",
    "Pos",
    "RandomWalk",
    "Replay",
    "Sampler",
    "Scheduler",
    "Shares",
    "Timed",
    "TreeWalk",
    "Urw",
    "conflict",
    "group_start",
    "policy_of",
    "shares_after",
]
