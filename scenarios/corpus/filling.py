"""What a corpus of this project must hold: each known race of the plan's designs, and a failure of each field design."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scenarios.batch import Found, Plan, run_batch
from scenarios.catalogue import SCENARIOS
from scenarios.corpus import record
from scenarios.expectations import known_verdicts
from scenarios.gallery import GALLERY

#: Runs of one scenario until a race counts as not found in it, and so many at a time.
RUNS, BATCH = 250, 25
#: The plan's designs, in the order in which a race that several have is taken from them.
DESIGNS = ("lua", "lock", "baseline")


@dataclass(frozen=True)
class Wanted:
    """A failure that is to be in the corpus: by a race, or, of a field design, any. `scenarios` are where to look."""

    strategy: str
    race: str | None
    scenarios: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.strategy}-{self.race}.json" if self.race else f"{self.strategy}.json"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the files that would do as well."""
        return tuple(f"{name}-{self.race}.json" for name in DESIGNS) if self.race else (self.name,)


def wanted() -> list[Wanted]:
    """Each known race of the plan's designs, of one design that has it, in turn; and a failure of each field design."""
    of_race: dict[str, dict[str, list[tuple[bool, bool, bool, bool, str]]]] = {}
    for strategy in DESIGNS:
        for scenario, invariants in known_verdicts()[strategy].items():
            for entry in invariants.values():
                for race in entry["races"]:
                    # Where it is certain first, in the plainest scenario; a day of traffic last, for no race in it is small.
                    place = (
                        scenario.startswith("steady"),
                        race not in entry["certain_races"],
                        not SCENARIOS[scenario].main,
                        SCENARIOS[scenario].dagger,
                        scenario,
                    )
                    of_race.setdefault(race, {}).setdefault(strategy, []).append(place)
    races = []
    for number, (race, strategies) in enumerate(sorted(of_race.items())):
        strategy = list(strategies)[number % len(strategies)]
        places = dict.fromkeys(scenario for *_, scenario in sorted(strategies[strategy]))
        races.append(Wanted(strategy, race, tuple(places)))
    main = tuple(name for name, each in SCENARIOS.items() if each.main)
    return [*races, *(Wanted(strategy, None, main) for strategy in GALLERY)]


def missing(folder: Path) -> list[Wanted]:
    """What a folder has not: a race that another design's file shows is there."""
    return [each for each in wanted() if not any((folder / name).is_file() for name in each.names)]


def fill(folder: Path) -> Iterator[str]:
    """Find and record what is missing, and say of each file what it is. What is there stays."""
    for each in missing(folder):
        path = folder / each.name
        found = _found(each)
        if found is None or not record(path, each.strategy, found):
            yield f"{each.name}: not found in {RUNS} runs each of {', '.join(each.scenarios)}"
        else:
            yield f"{each.name}: {found.case.scenario}, {found.invariant}"


def _found(each: Wanted) -> Found | None:
    """The best run that shows it among the first that do."""
    for start in range(0, RUNS, BATCH):
        found: list[Found] = []
        for scenario in each.scenarios:
            plan = Plan(strategy=each.strategy, scenario=scenario, policy="portfolio", seed=0)
            tally = run_batch(plan, start, start + BATCH)
            found += [one for one in tally.found.values() if each.race in (None, one.cause)]
            if found and each.race is not None:
                break
        if found:
            return min(found, key=_place)
    return None


def _place(found: Found) -> tuple[bool, bool, int, int]:
    """A loss before anything else, and a small run before a large one.

    That a failed hand-over is not tried again is the same in all field designs: what is a design's own is told first.
    """
    return (found.invariant != "no_loss", found.case.scenario == "retry", *found.size)
