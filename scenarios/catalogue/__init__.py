"""The catalogue: every scenario by its name, those around the end of the window first."""

from collections.abc import Mapping

from scenarios.catalogue import adversity, failures, pace, payloads, reported, rollout, small, window
from scenarios.scenario import Scenario

SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for family in (window, pace, failures, payloads, rollout, reported, adversity, small)
    for scenario in family.SCENARIOS
}

__all__ = ["SCENARIOS"]
