"""Named races: predicates on histories that say why an invariant was violated."""

from collections.abc import Collection

from engine.verification.facts import Facts
from engine.verification.history import History
from engine.verification.races.match import Race, RaceMatch
from engine.verification.races.plan import RACES
from engine.verification.races.scene import Scene

__all__ = ["RACES", "RACE_NAMES", "Race", "RaceMatch", "find_races", "matches_in"]

#: The names of all races: what else is a violation's cause (`loss`, of what is late because it is lost) is none.
RACE_NAMES = frozenset(race.name for race in RACES)


def find_races(history: History) -> list[RaceMatch]:
    """Every named race in a history."""
    return matches_in(Facts(history))


def matches_in(facts: Facts, *, invariants: Collection[str] | None = None) -> list[RaceMatch]:
    """The named races that explain a violation of these invariants (None: of any), the narrowest first."""
    scene = Scene(facts)
    return [
        RaceMatch(race.name, invariant, told, events, labels)
        for race in RACES
        if invariants is None or set(race.invariants) & set(invariants)
        for told, events, labels in race.find(scene)
        for invariant in race.invariants
    ]
