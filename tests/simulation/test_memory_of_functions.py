"""What a design keeps in its modules is its function's: not shared, gone with a crash, and never carried to the next run."""

import textwrap
from pathlib import Path
from typing import Any

import pytest

from engine.simulation.memory import keeps_something
from scenarios.batch import Plan, run_batch
from scenarios.selection import find_strategy

HEAD = """
from collections import defaultdict
from typing import ClassVar
from engine.buffer import Receipt, Strategy
"""


def written(folder: Path, source: str, name: str = "mine") -> str:
    path = folder / f"{name}.py"
    path.write_text(HEAD + textwrap.dedent(source))
    return f"{path}:Mine"


def counts_of(spec: str) -> list[Any]:
    """What each function noted, in three runs."""
    noted: list[Any] = []

    def observe(history: list[dict[str, Any]]) -> None:
        noted.append([event["count"] for event in history if event["event"] == "note" and "count" in event])

    run_batch(Plan(strategy=spec, scenario="boundary", policy="timed", seed=0), 0, 3, observe)
    return noted


KEEPING = {
    "a global": """
        SEEN = defaultdict(int)
        class Mine(Strategy):
            async def receive(self, message):
                SEEN["all"] += 1
                self.runtime.note("seen", count=SEEN["all"])
                return Receipt()
        """,
    "a counter": """
        COUNT = 0
        class Mine(Strategy):
            async def receive(self, message):
                global COUNT
                COUNT += 1
                self.runtime.note("seen", count=COUNT)
                return Receipt()
        """,
    "an attribute of the class": """
        class Mine(Strategy):
            count = 0
            async def receive(self, message):
                Mine.count += 1
                self.runtime.note("seen", count=self.count)
                return Receipt()
        """,
    "a list of the class": """
        class Mine(Strategy):
            seen: ClassVar[list] = []
            async def receive(self, message):
                self.seen.append(1)
                self.runtime.note("seen", count=len(self.seen))
                return Receipt()
        """,
    "a default argument": """
        class Mine(Strategy):
            async def receive(self, message, seen=[]):
                seen.append(1)
                self.runtime.note("seen", count=len(seen))
                return Receipt()
        """,
}


@pytest.mark.parametrize("source", KEEPING.values(), ids=KEEPING)
def test_what_is_kept_outside_the_instance_begins_anew_in_each_function(tmp_path: Path, source: str) -> None:
    for counts in counts_of(written(tmp_path, source)):
        assert counts.count(1) >= 1
        assert max(counts) < 5  # what one function alone received, of at most five messages


def test_a_module_from_the_same_folder_is_the_functions_own_too(tmp_path: Path) -> None:
    (tmp_path / "shelf.py").write_text("SEEN = []\n")
    source = """
        import shelf
        class Mine(Strategy):
            async def receive(self, message):
                shelf.SEEN.append(1)
                self.runtime.note("seen", count=len(shelf.SEEN))
                return Receipt()
        """
    for counts in counts_of(written(tmp_path, source)):
        assert 1 in counts


def test_a_class_that_the_file_imports_from_its_folder_can_be_run(tmp_path: Path) -> None:
    written(tmp_path, KEEPING["a global"], "inner")
    for counts in counts_of(written(tmp_path, "from inner import Mine")):
        assert 1 in counts


def test_a_design_without_such_a_thing_is_loaded_once(tmp_path: Path) -> None:
    source = """
        import json, re
        PATTERN, NAMES, LIMIT = re.compile("x"), ("a", "b"), 7
        class Mine(Strategy):
            tick_ms: ClassVar[int | None] = 1_000
            shared_keys = frozenset({"a"})
            @property
            def limit(self):
                return LIMIT
            async def receive(self, message):
                return Receipt()
        """
    assert not keeps_something(find_strategy(written(tmp_path, source)))
    assert not keeps_something(find_strategy("lease"))
