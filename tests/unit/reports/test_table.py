"""The table of verdicts says of each strategy, scenario and invariant what was found, and how much that means."""

import io
from typing import Any

import pytest
from rich.console import Console

from reports.table import labels, rich_table, summary, text_table


def row(strategy: str, scenario: str, invariant: str, verdict: str, **more: Any) -> dict[str, Any]:
    plain = {"runs": 200, "violations": 0, "applicable_runs": 200, "causes": {}}
    return {"strategy": strategy, "scenario": scenario, "invariant": invariant, "verdict": verdict, **plain, **more}


LOST = row("lock", "boundary", "no_loss", "violated", violations=50, causes={"arrived_during_processing": None})
ROWS = [
    LOST,
    row("lock", "boundary", "order", "holds"),
    row("lock", "boundary", "no_leak", "unknown"),
    row("lock", "boundary", "status_true", "unknown", applicable_runs=0),
    row("lease", "boundary", "no_loss", "holds"),
]


def document(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"schema": 1, "rows": rows, "seed": 7, "elapsed_s": 2.0, "runs_per_s": 200}


def cells(table: str, strategy: str) -> dict[str, str]:
    """The cells of a strategy's row by the heads of their columns."""
    lines = table.splitlines()
    found = next(line for line in lines if line.startswith(strategy))
    return dict(zip(lines[0].split(), found.split(), strict=True))


def test_a_cell_says_held_how_often_violated_undecided_or_not_applicable() -> None:
    found = cells(text_table(document(ROWS)), "lock ")
    assert (found["loss"], found["order"], found["leak"], found["stat"]) == ("25%", "✓", "?", "-")


def test_a_rare_violation_is_never_rounded_to_nothing() -> None:
    rare = row("lock", "boundary", "no_loss", "violated", violations=1, runs=10_000, applicable_runs=10_000)
    assert cells(text_table(document([rare])), "lock ")["loss"] == "<1%"


def test_an_invariant_that_was_not_judged_is_not_shown_as_held() -> None:
    assert cells(text_table(document(ROWS)), "lease ")["order"] == "-"


def test_the_columns_of_the_text_are_aligned() -> None:
    heads, *rows = text_table(document(ROWS)).split("\n\n")[0].splitlines()
    assert all(line[heads.index("runs") :].startswith("200") for line in rows)


def test_the_summary_names_what_is_violated_where_how_often_and_why() -> None:
    said = summary(document(ROWS)).splitlines()
    assert "lock violates no_loss in boundary (50 of 200); by arrived_during_processing" in said
    assert "lease: no violation found" in said
    assert said[-1] == "400 runs, 200 runs/s, seed 7"


def test_the_text_table_carries_its_legend_and_its_summary() -> None:
    text = text_table(document(ROWS))
    assert "loss = no_loss" in text
    assert text.endswith(summary(document(ROWS)))


def test_a_document_without_rows_is_an_empty_table() -> None:
    assert "0 runs" in text_table(document([]))


def on_a_terminal(rows: list[dict[str, Any]], width: int = 140) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(rich_table(document(rows)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_terminal_s_table_shows_the_same_cells() -> None:
    shown = on_a_terminal(ROWS)
    assert "25%" in shown
    assert "✓" in shown


@pytest.mark.parametrize("name", ["[red]mine[/red]", "a[/]b"])
def test_a_strategy_s_name_is_shown_as_it_is_written(name: str) -> None:
    assert name in on_a_terminal([row(name, "boundary", "no_loss", "holds")])


def test_a_narrow_terminal_and_a_long_path_hide_no_scenario_and_no_verdict() -> None:
    path = "/home/somebody/projects/the-shop/buffers/new.py:Mine"
    shown = on_a_terminal([row(path, "boundary", "no_loss", "holds"), row(path, "burst", "no_leak", "holds")], width=80)
    assert "Mine" in shown
    assert "boundary" in shown
    assert shown.count("✓") == 2 + 1  # and once in the legend
    assert "…" not in shown


def test_strategies_are_called_by_their_class_unless_two_have_that_name() -> None:
    assert labels(["lock", "a/one.py:Mine", "b/two.py:Other"]) == {
        "lock": "lock",
        "a/one.py:Mine": "Mine",
        "b/two.py:Other": "Other",
    }
    assert labels(["a.py:Mine", "b.py:Mine"]) == {"a.py:Mine": "a.py:Mine", "b.py:Mine": "b.py:Mine"}


def test_of_a_design_that_hangs_it_is_said_that_nothing_was_decided_and_why() -> None:
    hangs = [row("mine.py:Mine", "boundary", name, "unknown", runs=2) for name in ("no_loss", "order")]
    coverage = {"strategy": "mine.py:Mine", "scenario": "boundary", "undecided_because": {"f1 spins; and more": 2}}
    said = summary({**document(hangs), "coverage": [coverage]}).splitlines()
    assert said[:2] == [
        "mine.py:Mine: nothing was decided",
        "mine.py:Mine: runs were stopped and decide nothing in boundary: f1 spins",
    ]


def test_where_only_some_runs_were_stopped_no_more_is_claimed_than_was_decided() -> None:
    rows = [row("mine.py:Mine", "boundary", "order", "unknown", runs=2), row("mine.py:Mine", "burst", "order", "holds")]
    coverage = {"strategy": "mine.py:Mine", "scenario": "boundary", "undecided_because": {"f1 spins": 2}}
    said = summary({**document(rows), "coverage": [coverage]}).splitlines()
    assert said[0] == "mine.py:Mine: no violation found in what was decided"
