"""The reviewed file of known verdicts: which invariants each built-in strategy breaks, in which scenario, by which race."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


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


@cache
def known_verdicts() -> dict[str, dict[str, dict[str, list[str]]]]:
    """Strategy → scenario → violated invariant → the named races that must show (an empty list: none is named)."""
    text = resources.files("scenarios").joinpath("known_verdicts.json").read_text(encoding="utf-8")
    verdicts: dict[str, dict[str, dict[str, list[str]]]] = json.loads(text)["violated"]
    return verdicts


def compare(rows: list[dict[str, Any]]) -> list[Difference]:
    """How these verdicts differ from those written down."""
    known = known_verdicts()
    differences = []
    for row in rows:
        strategy, scenario, invariant = row["strategy"], row["scenario"], row["invariant"]
        races = known.get(strategy, {}).get(scenario, {}).get(invariant)
        if row["verdict"] == "violated" and races is None:
            differences.append(Difference(strategy, scenario, invariant, "holds", "violated"))
        elif races is not None and row["verdict"] != "violated":
            differences.append(Difference(strategy, scenario, invariant, "violated", row["verdict"]))
        if row["verdict"] == "violated":
            missing = [race for race in races or () if race not in row["causes"]]
            differences += [
                Difference(strategy, scenario, f"{invariant} by {race}", "violated", "not found") for race in missing
            ]
    return differences
