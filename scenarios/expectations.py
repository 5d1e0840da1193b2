"""The reviewed file of known verdicts: which invariants each built-in strategy breaks, in which scenario, by which race."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from engine.verification import RACE_NAMES


@dataclass(frozen=True, slots=True)
class Difference:
    """A verdict that is not the one written down."""

    strategy: str
    scenario: str
    invariant: str
    expected: str
    found: str

    @property
    def is_new(self) -> bool:
        """A violation that is not written down; otherwise a known one was not found."""
        return self.found == "violated"

    def __str__(self) -> str:
        what = "is violated, which is not written down" if self.is_new else f"is {self.found}, written down as violated"
        return f"{self.strategy} · {self.scenario} · {self.invariant} {what}"


#: A violation in at least this share of the runs is certain to be found again under any seed; a rarer one is allowed.
CERTAIN_SHARE = 0.05


@cache
def known_verdicts() -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Strategy → scenario → violated invariant → `races` (those that explain it) and `certain` (it must be found)."""
    text = resources.files("scenarios").joinpath("known_verdicts.json").read_text(encoding="utf-8")
    verdicts: dict[str, dict[str, dict[str, dict[str, Any]]]] = json.loads(text)["violated"]
    return verdicts


def certain(strategy: str, scenario: str) -> tuple[set[str], set[str]]:
    """The invariants and the races that are certain to be found by a survey of this scenario."""
    entries = known_verdicts().get(strategy, {}).get(scenario, {})
    invariants = {invariant for invariant, entry in entries.items() if entry["certain"]}
    return invariants, {race for entry in entries.values() for race in entry["certain_races"]}


def compare(rows: list[dict[str, Any]]) -> list[Difference]:
    """How these verdicts differ from those written down."""
    known = known_verdicts()
    differences = []
    for row in rows:
        strategy, scenario, invariant = row["strategy"], row["scenario"], row["invariant"]
        entry = known.get(strategy, {}).get(scenario, {}).get(invariant)
        if row["verdict"] == "violated" and entry is None:
            differences.append(Difference(strategy, scenario, invariant, "holds", "violated"))
        elif row["verdict"] != "violated" and entry is not None and entry["certain"]:
            differences.append(Difference(strategy, scenario, invariant, "violated", row["verdict"]))
    return differences + _races_not_found(rows)


def _races_not_found(rows: list[dict[str, Any]]) -> list[Difference]:
    """The races of a strategy that showed in none of the scenarios in which they are written down."""
    expected: dict[tuple[str, str], list[str]] = {}
    found: set[tuple[str, str]] = set()
    for row in rows:
        strategy, scenario = row["strategy"], row["scenario"]
        entry = known_verdicts().get(strategy, {}).get(scenario, {}).get(row["invariant"], {})
        for race in entry.get("certain_races", ()):
            expected.setdefault((strategy, race), []).append(scenario)
        found.update((strategy, race) for race in row["cause_runs"])
    return [
        Difference(strategy, ", ".join(dict.fromkeys(scenarios)), f"race {race}", "violated", "not found")
        for (strategy, race), scenarios in expected.items()
        if (strategy, race) not in found
    ]


def written_down(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The document of known verdicts that these rows make, to be reviewed before it is committed."""
    violated: dict[str, Any] = {}
    for row in rows:
        if row["verdict"] == "violated":
            races = {cause: count for cause, count in row["cause_runs"].items() if cause in RACE_NAMES}
            entry = {
                "certain": row["violations"] >= CERTAIN_SHARE * row["applicable_runs"],
                "races": sorted(races),
                "certain_races": sorted(race for race, count in races.items() if count >= CERTAIN_SHARE * row["runs"]),
            }
            scenarios = violated.setdefault(row["strategy"], {})
            scenarios.setdefault(row["scenario"], {})[row["invariant"]] = entry
    return {"schema": 1, "violated": violated}
