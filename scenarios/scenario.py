"""What a scenario is: a name, and a way to draw a case of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from engine.simulation.case import Case


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A situation to try. `sample` draws one case of it; None: it does not concern that strategy.

    The draw depends on the random stream alone, so all strategies of one run number face the same case.
    """

    name: str
    summary: str
    sample: Callable[[random.Random, str], Case | None]
    #: Beyond what any design on one Redis can survive: off unless asked for.
    dagger: bool = False
    #: Beyond the one server that a design from outside is written for: with such a one, only where it is asked for.
    when_asked: bool = False
    #: In the main job of `verify`: the scenarios around the end of the window.
    main: bool = False
    #: How many cases there are, for those that are small enough to be searched exhaustively. None: no end of them.
    cases: int | None = None
    #: Runs per strategy when none are asked for.
    runs: int = 200
