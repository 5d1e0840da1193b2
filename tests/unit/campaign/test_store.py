"""The store counts each batch as a whole or not at all, folds equal failures, and refuses what is no store of its own."""

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from engine.buffer.errors import UsageError
from engine.simulation.case import Case, Sending
from scenarios.batch import Found
from scenarios.campaign import campaign
from scenarios.campaign.document import document_of, write
from scenarios.campaign.plan import Batch, Campaign, round_of
from scenarios.campaign.run import program
from scenarios.campaign.store import Store
from scenarios.campaign.work import Done, Shrinking, Shrunk
from scenarios.corpus import kept_in

TRACE = Path(__file__).parents[2] / "corpus" / "lua-nobody_schedules.json"
ASKED = Campaign(strategies=("lock",), scenarios=("boundary",), policies=("timed",), seed=1, round_batches=3)
CASE = Case(sendings=(Sending(at_ms=0, message_id="a", text="hi", label="m1"),))
COUNTS: dict[str, Any] = {
    "runs": 25,
    "completed": 25,
    "skipped": 0,
    "commands": 90,
    "messages": 30,
    **{name: {} for name in ("undecided", "faults", "branches", "reasons", "races")},
    "violations": {"no_loss": 3},
}


def found(run: int, invariant: str = "no_loss") -> Found:
    return Found(invariant, "expired_buffer", run, 40, CASE, {"next#1": 1}, stepped=True)


def done(batch: Batch, run: int = 3) -> Done:
    return Done(batch=batch, counts=COUNTS, points=[1, 2, batch.number + 10], found=[found(run)])


def shrunk(batch: Batch, run: int = 3, events: int = 20) -> Shrunk:
    trace = {"violation": {"explanation": "m1 was lost"}, "history": [{}] * events, "run": run}
    return Shrunk(task=Shrinking(batch=batch, found=found(run), trials=9), identity="f00d" * 4, trace=trace)


def batches() -> list[Batch]:
    return round_of(ASKED, 0, 0, {"timed": Fraction(1)})


def begun(path: Path) -> Store:
    store = Store(path)
    store.begin(ASKED, {"python": "3"})
    store.begin_session()
    store.add_round(0, batches())
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = begun(tmp_path / "campaign.sqlite")
    yield opened
    opened.close()


def test_a_batch_that_has_its_result_is_not_run_again(store: Store) -> None:
    first, second, third = batches()
    store.add(0, done(second), 1.0)
    assert store.unfinished(0) == [first, third]


def test_the_order_in_which_batches_and_failures_come_changes_nothing(tmp_path: Path) -> None:
    digests = []
    for name, order in (("one", [0, 1, 2]), ("two", [2, 0, 1])):
        store = begun(tmp_path / name)
        for index in order:
            store.add(0, done(batches()[index]), 1.0 + index)
        store.choose({(n, "no_loss", "expired_buffer"): 9 for n in range(3)})
        store.close_round(0, {"runs": 75})
        for index in order:
            store.add_shrunk(shrunk(batches()[index], events=20 + index % 2), 2.0)
        digests.append(store.digest())
        store.close()
    assert digests[0] == digests[1]


def test_equal_failures_are_folded_and_the_smaller_example_stays(store: Store) -> None:
    first, second, _ = batches()
    for batch, events in ((first, 30), (second, 20), (second, 20)):
        if store.rows("SELECT counts FROM batches WHERE number = ? AND counts IS NULL", (batch.number,)):
            store.add(0, done(batch), 1.0)
        store.add_shrunk(shrunk(batch, events=events), 1.0)
    assert store.rows("SELECT folded, events, batch FROM failures") == [(2, 20, second.number)]


def test_a_result_that_comes_twice_is_an_error_and_counted_once(store: Store) -> None:
    first = batches()[0]
    store.add(0, done(first), 1.0)
    with pytest.raises(Exception, match="UNIQUE"):
        store.add(0, done(first), 2.0)
    assert store.rows("SELECT elapsed_s, runs FROM sessions") == [(1.0, 25)]


def test_a_failure_that_was_found_and_not_made_small_is_in_the_document_all_the_same(store: Store) -> None:
    store.add(0, done(batches()[0]), 1.0)
    (failure,) = document_of(store)["failures"]
    assert (failure["invariant"], failure["identity"], failure["new"]) == ("no_loss", None, False)


def test_a_violation_of_lease_is_new(tmp_path: Path) -> None:
    store = begun(tmp_path / "other")
    batch = replace(batches()[0], plan=replace(batches()[0].plan, strategy="lease"))
    store._db.execute("UPDATE meta SET value = replace(value, 'lock', 'lease')")
    store._db.execute("UPDATE batches SET spec = replace(spec, 'lock', 'lease')")
    store.add(0, done(batch), 1.0)
    assert document_of(store)["failures"][0]["new"]
    store.close()


def test_a_corpus_keeps_the_smallest_trace_of_each_race_and_gets_no_second_one(store: Store, tmp_path: Path) -> None:
    recorded = json.loads(TRACE.read_text("utf-8"))
    for number, batch in enumerate(batches()):
        store.add(0, done(batch, run=number), 1.0)
        longer = recorded["history"] + recorded["history"][:number]
        trace = {**recorded, "history": longer, "schedule": {f"next#{number + 1}": 1}, "keys": [{"at": 1}]}
        store.add_shrunk(replace(shrunk(batch, run=number), identity=f"{number}" * 16, trace=trace), 1.0)
    corpus = tmp_path / "corpus"
    write(store, document_of(store), tmp_path / "out", corpus)
    write(store, document_of(store), tmp_path / "out", corpus)
    assert len(list((tmp_path / "out" / "campaign").glob("*.json"))) == 3
    (kept,) = kept_in(corpus)
    assert (len(kept.history), list(kept.keys)) == (len(recorded["history"]), [])


def test_a_failure_keeps_its_one_trace_when_a_smaller_example_comes_from_another_scenario(
    store: Store, tmp_path: Path
) -> None:
    first, second, _ = batches()
    second = replace(second, plan=replace(second.plan, scenario="burst"))
    recorded = json.loads(TRACE.read_text("utf-8"))
    for batch, longer in ((first, recorded["history"][:1]), (second, [])):
        store.add(0, done(batch), 1.0)
        store.add_shrunk(replace(shrunk(batch), trace={**recorded, "history": recorded["history"] + longer}), 1.0)
        document = document_of(store)
        write(store, document, tmp_path, None)
    (failure,) = document["failures"]
    (file,) = (tmp_path / "campaign").iterdir()
    assert failure["scenario"] == "burst"
    assert tmp_path / failure["trace"] == file


def test_a_second_campaign_on_an_open_store_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match="a campaign is at work on it"):
        Store(store.path)


def test_a_file_of_another_kind_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database, " * 100)
    store = Store(path)
    with pytest.raises(UsageError, match="no store of a campaign"):
        _ = store.is_new
    with pytest.raises(UsageError, match="no store of a campaign"):
        store.asked()
    store.close()
    assert path.read_text().startswith("no database")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DROP TABLE sessions", "no such table: sessions"),
        ("DROP TABLE batches", "no such table: batches"),
        ("UPDATE batches SET counts = '{'", "JSON"),
        ("UPDATE rounds SET closed = 1, summary = '{'", "line 1 column 2"),
        ("UPDATE batches SET spec = '[]'", "a text in it is of another kind"),
        ("UPDATE batches SET spec = '{}'", "a text in it is of another kind"),
    ],
)
def test_a_damaged_store_is_refused_with_what_to_do(tmp_path: Path, damage: str, said: str) -> None:
    path = tmp_path / "campaign.sqlite"
    store = Store(path)
    store.begin(ASKED, program(ASKED.strategies))
    store.add_round(0, batches())
    store._db.execute(damage)
    store.close()
    with pytest.raises(UsageError, match=r"damaged.* restore a copy of it, or begin anew in another --out") as refused:
        campaign(store=path, resume=True, jobs=1, runs=1)
    assert str(path) in str(refused.value)
    assert said in str(refused.value)
