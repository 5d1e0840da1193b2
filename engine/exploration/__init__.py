"""Who chooses: the scheduler protocol, one policy a file, choice recording, replay and shrinking."""

from engine.exploration.independence import conflict
from engine.exploration.pct import Pct
from engine.exploration.portfolio import DIRECTED, EVEN, ROUND, Portfolio, Shares, policy_of, shares_after
from engine.exploration.pos import Pos
from engine.exploration.probing import GROUP
from engine.exploration.random_walk import RandomWalk
from engine.exploration.sampling import SAMPLED, Sampler, group_start
from engine.exploration.scheduler import Abandoned, Choices, Draw, Footprint, Observer, Pending, Replay, Scheduler
from engine.exploration.timed import Timed
from engine.exploration.urw import Urw

__all__ = [
    "DIRECTED",
    "EVEN",
    "GROUP",
    "ROUND",
    "SAMPLED",
    "Abandoned",
    "Choices",
    "Draw",
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
    "Urw",
    "conflict",
    "group_start",
    "policy_of",
    "shares_after",
]
