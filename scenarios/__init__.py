"""What is tried: the catalogue of scenarios, the field designs, and the runs that join all rooms."""

from scenarios.catalogue import SCENARIOS
from scenarios.determinism import check_determinism
from scenarios.replay import Replay, replay
from scenarios.result import Counterexample, Result
from scenarios.scenario import Scenario
from scenarios.verify import verify

__all__ = ["SCENARIOS", "Counterexample", "Replay", "Result", "Scenario", "check_determinism", "replay", "verify"]
