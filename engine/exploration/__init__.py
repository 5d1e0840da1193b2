"""Who chooses: the scheduler protocol, one policy a file, choice recording, replay and shrinking."""

from engine.exploration.random_walk import RandomWalk
from engine.exploration.scheduler import Choices, Draw, Pending, Replay, Scheduler
from engine.exploration.timed import Timed

__all__ = ["Choices", "Draw", "Pending", "RandomWalk", "Replay", "Scheduler", "Timed"]
