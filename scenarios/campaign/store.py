"""The store of a campaign: one SQLite file, to which everything is added as it comes, so that a kill loses little.

A batch's result, its failures and its coverage are one transaction, under the batch's number: it is counted as a whole or not
at all, and never twice. What is written does not depend on the order in which batches come back: counts stand by batch,
points and folded failures are sets, and of two examples of one failure the smaller stays. Which sitting it was, and how long it
took, stands beside it.
"""

import fcntl
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from engine.buffer.errors import UsageError
from scenarios.campaign.plan import Batch, Campaign
from scenarios.campaign.work import Done, Shrinking, Shrunk, found_from_text, found_to_text
from scenarios.trace import in_order_of_names

SCHEMA = 2

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE rounds (number INTEGER PRIMARY KEY, closed INTEGER NOT NULL DEFAULT 0, summary TEXT);
CREATE TABLE batches (number INTEGER PRIMARY KEY, round INTEGER NOT NULL, spec TEXT NOT NULL, counts TEXT, sitting INTEGER);
CREATE TABLE found (
    batch INTEGER, strategy TEXT, invariant TEXT, cause TEXT, run INTEGER, events INTEGER, example TEXT,
    trials INTEGER NOT NULL DEFAULT 0, shrunk INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (batch, invariant, cause)
);
CREATE TABLE failures (
    identity TEXT PRIMARY KEY, strategy TEXT, invariant TEXT, cause TEXT, scenario TEXT, batch INTEGER, run INTEGER,
    events INTEGER, folded INTEGER, trace TEXT, sitting INTEGER
);
CREATE TABLE points (
    strategy TEXT, point INTEGER, policy TEXT, round INTEGER NOT NULL, PRIMARY KEY (strategy, point, policy)
) WITHOUT ROWID;
CREATE TABLE sessions (number INTEGER PRIMARY KEY, elapsed_s REAL NOT NULL, runs INTEGER NOT NULL);
"""

#: What two campaigns with the same settings have in common, whoever ran them, in how many sittings.
_CONTENT = (
    "SELECT number, closed, summary FROM rounds ORDER BY number",
    "SELECT number, round, spec, counts FROM batches ORDER BY number",
    "SELECT batch, strategy, invariant, cause, run, events, example, trials, shrunk FROM found"
    " ORDER BY batch, invariant, cause",
    "SELECT identity, strategy, invariant, cause, scenario, batch, run, events, folded, trace FROM failures"
    " ORDER BY identity",
    "SELECT strategy, point, policy, round FROM points ORDER BY strategy, point, policy",
)


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Whatever SQLite or JSON says of a store, meanwhile, is a `UsageError`: a table is gone, a text is cut short, a disk is full."""
    try:
        yield
    except (sqlite3.DatabaseError, json.JSONDecodeError) as error:
        raise UsageError(
            f"store {path}: it is damaged or cannot be written ({error}): restore a copy of it, or begin anew in another"
            " --out or --store"
        ) from None


T = TypeVar("T")
#: What a failure is found by: the number of its batch, its invariant and its cause.
Key = tuple[int, str, str]


def _read(make: Callable[[str], T], text: str) -> T:
    """What a text of the store stands for. One that is no such thing is damage, as SQLite would tell it."""
    try:
        return make(text)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise sqlite3.DataError(f"a text in it is of another kind: {error!r}") from None


def _batch(text: str) -> Batch:
    return Batch.from_json(json.loads(text))


class Store:
    """An open store. Used by one process at a time; a second one is refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = path.open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise UsageError(
                f"store {path}: a campaign is at work on it: wait for it, or give another --store"
            ) from None
        # Transactions are written out below, in `_transaction`.
        self._db = sqlite3.connect(path, isolation_level=None)
        self._session = 0

    def close(self) -> None:
        """Close it. The lock goes last: SQLite's own locks end with the first descriptor that is closed."""
        self._db.close()
        self._lock.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # -- beginning, and going on -------------------------------------------------------------------------------------

    @property
    def is_new(self) -> bool:
        """Whether nothing was written to it yet. Raises `UsageError` if it is a file of another kind."""
        try:
            return not self._db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
        except sqlite3.DatabaseError:
            raise UsageError(f"store {self.path}: this is no store of a campaign: give another --store") from None

    def holds_results(self) -> bool:
        """Whether a batch's result is in it."""
        tables = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'batches'").fetchall()
        return bool(tables and self._db.execute("SELECT 1 FROM batches WHERE counts IS NOT NULL LIMIT 1").fetchall())

    def begin(self, campaign: Campaign, program: Mapping[str, str]) -> None:
        """Make the tables, and write down what is asked and by which program."""
        with self._transaction() as db:
            for statement in _TABLES.split(";"):
                db.execute(statement)
            values = {"schema": SCHEMA, "campaign": campaign.to_json(), "program": dict(program)}
            db.executemany("INSERT INTO meta VALUES (?, ?)", [(name, json.dumps(v)) for name, v in values.items()])

    def asked(self) -> tuple[Campaign, dict[str, str]]:
        """What was asked, and by which program. Raises `UsageError` if the file holds no campaign of this schema."""
        try:
            meta = {name: json.loads(value) for name, value in self._db.execute("SELECT name, value FROM meta")}
            if meta["schema"] != SCHEMA:
                raise UsageError(f"store {self.path}: schema {meta['schema']} is not known here: begin a new one")
            return Campaign.from_json(meta["campaign"]), meta["program"]
        except (sqlite3.DatabaseError, KeyError, TypeError, ValueError):
            raise UsageError(f"store {self.path}: this is no store of a campaign: give another --store") from None

    def begin_session(self) -> None:
        """A sitting begins: its time and its runs are kept by themselves."""
        with self._transaction() as db:
            (self._session,) = db.execute("SELECT COALESCE(MAX(number), 0) + 1 FROM sessions").fetchone()
            db.execute("INSERT INTO sessions VALUES (?, 0, 0)", (self._session,))

    # -- rounds ------------------------------------------------------------------------------------------------------

    def open_round(self) -> int | None:
        """The number of the round that was begun and not closed."""
        row = self._db.execute("SELECT number FROM rounds WHERE closed = 0").fetchone()
        return None if row is None else int(row[0])

    def summaries(self) -> list[dict[str, Any]]:
        """What was written down of each closed round, in order."""
        rows = self._db.execute("SELECT summary FROM rounds WHERE closed = 1 ORDER BY number")
        return [json.loads(text) for (text,) in rows]

    def add_round(self, number: int, batches: list[Batch]) -> None:
        """Open a round: its batches are decided."""
        with self._transaction() as db:
            db.execute("INSERT INTO rounds (number) VALUES (?)", (number,))
            db.executemany(
                "INSERT INTO batches (number, round, spec) VALUES (?, ?, ?)",
                [(each.number, number, json.dumps(each.to_json(), sort_keys=True)) for each in batches],
            )

    def unfinished(self, number: int) -> list[Batch]:
        """The batches of a round that have no result yet."""
        rows = self._db.execute(
            "SELECT spec FROM batches WHERE round = ? AND counts IS NULL ORDER BY number", (number,)
        )
        return [_read(_batch, spec) for (spec,) in rows]

    def whole_until(self, first: int) -> int:
        """The number of the first batch from `first` on that has no result yet."""
        rows = self._db.execute(
            "SELECT number FROM batches WHERE number >= ? AND counts IS NULL ORDER BY number LIMIT 1", (first,)
        ).fetchall() or self._db.execute("SELECT COALESCE(MAX(number) + 1, 0) FROM batches")
        return next(int(number) for (number,) in rows)

    def close_round(self, number: int, summary: Mapping[str, Any]) -> None:
        """Close a round: its summary is what later ones are decided from."""
        with self._transaction() as db:
            db.execute(
                "UPDATE rounds SET closed = 1, summary = ? WHERE number = ?",
                (json.dumps(summary, sort_keys=True), number),
            )

    # -- results -----------------------------------------------------------------------------------------------------

    def add(self, round_number: int, done: Done, elapsed_s: float) -> None:
        """A batch's result, with what it found and covered."""
        batch, plan = done.batch, done.batch.plan
        with self._transaction() as db:
            db.execute(
                "UPDATE batches SET counts = ?, sitting = ? WHERE number = ? AND counts IS NULL",
                (json.dumps(done.counts, sort_keys=True), self._session, batch.number),
            )
            db.executemany(
                "INSERT INTO found (batch, strategy, invariant, cause, run, events, example) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (batch.number, plan.strategy, f.invariant, f.cause or "", f.run, f.events, found_to_text(f))
                    for f in done.found
                ],
            )
            db.executemany(
                "INSERT OR IGNORE INTO points VALUES (?, ?, ?, ?)",
                [(plan.strategy, point, plan.policy, round_number) for point in done.points],
            )
            db.execute(
                "UPDATE sessions SET elapsed_s = ?, runs = runs + ? WHERE number = ?",
                (elapsed_s, done.counts["runs"], self._session),
            )

    def choose(self, chosen: Mapping[Key, int]) -> None:
        """Write down which failures are to be made small, and in how many trials."""
        if chosen:
            with self._transaction() as db:
                db.executemany(
                    "UPDATE found SET trials = ? WHERE batch = ? AND invariant = ? AND cause = ?",
                    [(trials, *key) for key, trials in chosen.items()],
                )

    def to_shrink(self) -> list[Shrinking]:
        """The failures that were chosen to be made small and are not yet."""
        rows = self._db.execute(
            "SELECT spec, example, trials FROM found JOIN batches ON number = batch WHERE trials > 0 AND shrunk = 0"
            " ORDER BY batch, invariant, cause"
        )
        return [
            Shrinking(batch=_read(_batch, spec), found=_read(found_from_text, example), trials=trials)
            for spec, example, trials in rows
        ]

    def add_shrunk(self, shrunk: Shrunk, elapsed_s: float) -> None:
        """A failure made small, folded with its equals: of two examples the smaller stays."""
        task, trace = shrunk.task, shrunk.trace
        batch, plan, found = task.batch, task.batch.plan, task.found
        with self._transaction() as db:
            changed = db.execute(
                "UPDATE found SET shrunk = ? WHERE batch = ? AND invariant = ? AND cause = ? AND shrunk = 0",
                (1 if trace is not None else -1, *task.key),
            ).rowcount
            if changed and trace is not None:
                db.execute(
                    "INSERT INTO failures SELECT ?, ?, ?, ?, ?, number, ?, ?, 1, ?, sitting FROM batches WHERE number = ?"
                    " ON CONFLICT (identity) DO UPDATE SET folded = folded + 1, sitting = MIN(sitting, excluded.sitting)",
                    (
                        shrunk.identity,
                        plan.strategy,
                        found.invariant,
                        found.cause or "",
                        plan.scenario,
                        found.run,
                        len(trace["history"]),
                        json.dumps(in_order_of_names(trace)),
                        batch.number,
                    ),
                )
                db.execute(
                    "UPDATE failures SET scenario = ?, batch = ?, run = ?, events = ?, trace = ?"
                    " WHERE identity = ? AND (events, batch, run) > (?, ?, ?)",
                    (
                        plan.scenario,
                        batch.number,
                        found.run,
                        len(trace["history"]),
                        json.dumps(in_order_of_names(trace)),
                        shrunk.identity,
                        len(trace["history"]),
                        batch.number,
                        found.run,
                    ),
                )
            db.execute("UPDATE sessions SET elapsed_s = ? WHERE number = ?", (elapsed_s, self._session))

    # -- reading -----------------------------------------------------------------------------------------------------

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query that only reads."""
        return self._db.execute(query, values).fetchall()

    def digest(self) -> str:
        """The digest of all that the campaign ran and found, without how long it took and in how many sittings."""
        summed = hashlib.sha256()
        for query in _CONTENT:
            for row in self._db.execute(query):
                summed.update(json.dumps(row).encode())
        return summed.hexdigest()
