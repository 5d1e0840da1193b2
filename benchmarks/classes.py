"""How many runs `dpor` makes for each class of interleavings, on the programs of `tests/simulation/test_exhaustion.py`: a table.

    python -m benchmarks.classes

The classes are counted by brute force: all interleavings are run, and each one's class is worked out from what its steps touched.
Complete runs are those that went to their end; a run in which only sleeping steps were left is given up, and counted beside them.
"""

from typing import Any

from rich.console import Console
from rich.table import Table

from engine.exploration import Dpor, Exhaustive
from tests.simulation.programs import class_of, outcomes
from tests.simulation.test_exhaustion import PROGRAMS


def main() -> None:
    """Run every program both ways, and print what it took."""
    shown = Table("program", "interleavings", "classes", "complete runs", "given up", "runs / class", "same outcomes")
    for name, program in PROGRAMS.items():
        classes: set[Any] = set()
        brute, reduced = Exhaustive(bounds=(None,)), Dpor()
        all_outcomes = outcomes(brute, program, lambda walk, into=classes: into.add(class_of(walk)))  # type: ignore[misc]
        same = outcomes(reduced, program) == all_outcomes
        shown.add_row(
            name,
            f"{brute.complete:,}",
            f"{len(classes):,}",
            f"{reduced.complete:,}",
            f"{reduced.blocked:,}",
            f"{reduced.complete / len(classes):.2f}",
            "yes" if same else "NO",
        )
    Console(width=None if Console().is_terminal else 120).print(shown)


if __name__ == "__main__":
    main()
