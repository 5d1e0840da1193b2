"""The policy `portfolio`, the default: it looks broadly first, and then aims at what that did not find.

Runs come in units of `GROUP`. In the first round every second unit alternates `timed` (even run numbers) and `random` (odd ones),
each run with a case of its own; later every fourth. The other units are groups of one directed policy, in turn; later most of them
as what has found most in the rounds before, and as `pct` as long as nothing was found. Those rounds are closed by then: so a run
depends on the seed, its number and closed results alone, never on how many processes there are or which of them is faster.
"""

from collections.abc import Mapping

from engine.exploration.pct import Pct
from engine.exploration.pos import Pos
from engine.exploration.probing import GROUP, Probing
from engine.exploration.random_walk import RandomWalk
from engine.exploration.scheduler import Scheduler
from engine.exploration.timed import Timed
from engine.exploration.urw import Urw

#: The policies that aim, in the order in which they take turns.
DIRECTED: dict[str, type[Probing]] = {"pct": Pct, "pos": Pos, "urw": Urw}
#: Runs of a round, at whose end the shares are made anew.
ROUND = 100

Shares = Mapping[str, int]
#: While nothing was found: in the first round, and in later ones.
EVEN: Shares = dict.fromkeys(DIRECTED, 1)
AIMED: Shares = {"pct": 4, "pos": 1, "urw": 1}


def shares_after(found: Mapping[str, int]) -> Shares | None:
    """The shares of the directed policies, from how many runs of each have found something: nobody goes without.

    None: nothing was found.
    """
    most = max((found.get(name, 0) for name in DIRECTED), default=0)
    return None if not most else {name: 1 + round(3 * found.get(name, 0) / most) for name in DIRECTED}


def policy_of(run: int, shares: Shares | None = None) -> str:
    """Which policy makes this run."""
    unit, every = run // GROUP, 2 if run < ROUND else 4
    if unit % every == 0:
        return "random" if run % 2 else "timed"
    turns = [name for name, share in _shares(run, shares).items() for _ in range(share)]
    # Spread: neighbours differ where they can.
    return turns[(unit - unit // every - 1) * _step(len(turns)) % len(turns)]


def _shares(run: int, shares: Shares | None) -> Shares:
    if shares is not None:
        return shares
    return EVEN if run < ROUND else AIMED


def _step(count: int) -> int:
    """A stride that visits each of so many turns once."""
    return next(step for step in range(max(1, count // 2), count + 1) if _coprime(step, count))


def _coprime(one: int, other: int) -> bool:
    while other:
        one, other = other, one % other
    return one == 1


class Portfolio:
    """Has a policy of each kind, and says whose turn it is."""

    def __init__(self, seed: str, shares: Shares | None = None) -> None:
        self._shares = shares
        self._policies: dict[str, Scheduler] = {"timed": Timed(seed), "random": RandomWalk(seed)}
        self._policies.update({name: policy(seed) for name, policy in DIRECTED.items()})

    def begun(self, run: int) -> tuple[str, Scheduler]:
        """The name and the policy of this run, which it has begun."""
        name = policy_of(run, self._shares)
        chosen = self._policies[name]
        chosen.new_run(run)
        return name, chosen
