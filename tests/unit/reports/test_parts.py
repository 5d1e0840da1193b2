"""The sections on real servers, searches, campaigns, capacity and benchmarks: what they say, and what they refuse."""

import copy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from reports.answers import answers_of
from reports.errors import BadResultFile
from reports.figures.drawing import NARROW
from reports.parts import sections_of
from reports.results import Results, read_results
from reports.sections import Section
from tests.unit.reports import files, server_files


def read(folder: Path, **documents: Any) -> Results:
    return read_results(files.write(folder, **documents))


def only(folder: Path, **documents: Any) -> Section:
    (section,) = sections_of(read(folder, **documents), {})
    return section


def titles(section: Section) -> str:
    return "\n".join([each.title for each in section.figures] + [each.title for each in section.tables])


def test_a_load_says_who_waits_how_long_and_who_lost(tmp_path: Path) -> None:
    said = titles(only(tmp_path, load=server_files.load()))
    assert "waits longer than: lock 50 ms, lease 20 ms (lease against lock: 60 % less)" in said
    assert "lock 11.8 requests and 700 µs, lease 4.4 requests and 700 µs" in said
    assert "lua 50.0 times and lease 1.1 times" in said
    assert "lock 50 violations, 25 of them lost messages; no violation of lease" in said
    assert "the 99th percentile of an add 60 % lower, errors and violations 100 % lower" in said


def test_loads_with_faults_are_one_section_over_all_their_files(tmp_path: Path) -> None:
    section = only(
        tmp_path, a=server_files.load({"lock": 25}, chaos=True), b=server_files.load({"lease": 0}, chaos=True)
    )
    assert section.id == "chaos"
    said = titles(section)
    assert "lock lost 25 and doubled 0 of 100; lease lost and doubled none of 100" in said
    assert "8 kills and 4 restarts" in said
    captions = [each.caption for each in section.figures] + [each.caption for each in section.tables]
    assert all("`a.json` and `b.json`" in caption for caption in captions)


def test_a_search_is_a_proof_and_no_line_of_the_matrix(tmp_path: Path) -> None:
    section = only(tmp_path, search=server_files.search())
    assert section.id == "proofs"
    assert section.tables[0].title == "lease violates nothing in all 1,554 classes of 1 scenario"
    assert section.tables[0].rows[0][-1].text == "2 messages, 2 functions: 1,554 classes of interleavings, exhausted"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"exhausted": False}, "1 of 1 searches were stopped before the end and prove nothing"),
        ({"violations": 3}, "lease violate within the same bounds"),
    ],
)
def test_a_search_that_was_stopped_or_found_something_proves_nothing(
    tmp_path: Path, given: dict[str, Any], told: str
) -> None:
    title = only(tmp_path, search=server_files.search(**given)).tables[0].title
    assert told in title
    assert "violates nothing" not in title


def test_planted_bugs_compare_the_policies_where_it_is_hard(tmp_path: Path) -> None:
    said = titles(only(tmp_path, find=server_files.find()))
    assert "Of 2 planted bugs 2 need 100 random runs or more; portfolio finds them in 0.23 times as many" in said


def test_a_campaign_says_who_held_and_what_is_new(tmp_path: Path) -> None:
    section = only(tmp_path, campaign=server_files.campaign())
    said = titles(section)
    assert "no violation of lease in 300 runs; lock breaks 1 invariant" in said
    assert "600 runs in 6 rounds covered 100 points; the last 5 rounds added 50.0 % of them" in said
    assert "No failure is new" in said
    assert "crash 12" in section.text


def test_capacity_says_what_is_full_first_and_where_the_model_is_wrong(tmp_path: Path) -> None:
    said = titles(only(tmp_path, capacity=server_files.capacity()))
    assert "1,000 functions are full at 4.6 million messages a day, before Redis at 85 million" in said
    assert "1 million messages a day cost, in the currency of the prices: lease 30" in said
    assert "3 of 4 predictions are within 25 %" in said
    assert "it is wrong about time of an add (median) (lease)" in said


def test_conformance_and_benchmarks_say_their_numbers(tmp_path: Path) -> None:
    said = titles(only(tmp_path / "a", conformance=server_files.conformance()))
    assert (
        "20,031 steps and 4,900 commands on the simulation's server and on Valkey 9.1.2: no difference beyond" in said
    )
    assert "lease · whole 1.43" in titles(only(tmp_path / "b", bench=server_files.bench()))


def test_the_first_screen_says_what_a_real_server_showed(tmp_path: Path) -> None:
    results = read(tmp_path, load=server_files.load(), chaos=server_files.load({"lease": 0}, chaos=True))
    (answer,) = answers_of(results)
    said = " ".join(answer.lines)
    assert "On a real server, without any fault: lock lost 25 of 100; lease lost none of 100" in said
    assert "under kills, restarts and cut connections: lease lost none of 100" in said


def test_another_number_in_a_file_is_another_number_in_the_report(tmp_path: Path) -> None:
    one = titles(only(tmp_path / "one", load=server_files.load({"lock": 25})))
    two = titles(only(tmp_path / "two", load=server_files.load({"lock": 26})))
    assert "25 of them lost" in one
    assert "26 of them lost" in two


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every part of a document."""
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*path, name)
        yield from paths(part, (*path, name))


def copied(document: Any, path: tuple[Any, ...]) -> tuple[Any, Any]:
    """A copy, and the part of it that holds what the path leads to."""
    changed = part = copy.deepcopy(document)
    for name in path[:-1]:
        part = part[name]
    return changed, part


def without(document: Any, path: tuple[Any, ...]) -> Any:
    changed, part = copied(document, path)
    del part[path[-1]]
    return changed


def replaced(document: Any, path: tuple[Any, ...]) -> Any:
    changed, part = copied(document, path)
    part[path[-1]] = ["?"] if isinstance(part[path[-1]], str) else "?"
    return changed


def refusal_of(document: Any, folder: Path) -> str | None:
    """Why a file is refused; None if the report is made, which must then not break."""
    try:
        results = read(folder, file=document)
    except BadResultFile as error:
        return str(error)
    answers_of(results)
    sections_of(results, {})
    return None


def emptied(document: Any, path: tuple[Any, ...]) -> Any:
    changed, part = copied(document, path)
    if isinstance(part[path[-1]], list):
        part[path[-1]] = []
    return changed


@pytest.mark.parametrize("damage", [without, replaced])
@pytest.mark.parametrize("kind", server_files.ALL)
def test_a_file_that_lacks_any_part_is_drawn_or_named_and_refused(
    kind: str, damage: Callable[[Any, tuple[Any, ...]], Any], tmp_path: Path
) -> None:
    document = server_files.ALL[kind]()
    refused = [refusal for path in paths(document) if (refusal := refusal_of(damage(document, path), tmp_path))]
    assert len(refused) >= 3
    assert all("file.json" in each for each in refused)


@pytest.mark.parametrize("name", ["boundary", "verify", "load", "search", "find", "campaign", "capacity"])
def test_a_file_in_which_nothing_was_measured_is_named_and_refused(name: str, tmp_path: Path) -> None:
    document = getattr(files if hasattr(files, name) else server_files, name)()
    rows = "strategies" if name == "campaign" else "rows"
    assert document[rows]
    assert refusal_of(document, tmp_path) is None
    refusal = refusal_of(emptied(document, (rows,)), tmp_path)
    assert refusal is not None
    assert "file.json" in refusal
    assert f"{rows} is an empty list" in refusal


@pytest.mark.parametrize("kind", server_files.ALL)
def test_any_empty_list_is_drawn_without_or_named_and_refused(kind: str, tmp_path: Path) -> None:
    document = server_files.ALL[kind]()
    lists = [path for path in paths(document) if emptied(document, path) != document]
    refused = [refusal for path in lists if (refusal := refusal_of(emptied(document, path), tmp_path))]
    assert all("file.json" in each for each in refused)


@pytest.mark.parametrize("kind", server_files.ALL)
def test_every_figure_can_be_drawn_for_a_phone(kind: str, tmp_path: Path) -> None:
    for figure in only(tmp_path, file=server_files.ALL[kind]()).figures:
        assert figure.draw(NARROW).axes
