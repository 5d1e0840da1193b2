"""A campaign is the same whoever does its runs, in how many sittings, and whatever dies meanwhile."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

RUNS = 36
#: Each sitting costs seconds to start.
KILLS = 5 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 2
#: Prints the digest of all that the campaign ran and found. Its arguments: store, jobs or address, `resume` or nothing.
SITTING = f"""
import sys
from pathlib import Path
from scenarios.campaign import campaign

if __name__ == "__main__":
    path, where, resume = Path(sys.argv[1]), sys.argv[2], sys.argv[3:] == ["resume"]
    result = campaign(
        strategies=None if resume else ["lock", "baseline"],
        scenario_names=None if resume else ["boundary", "burst"],
        seed=None if resume else 5,
        runs={RUNS},
        jobs=int(where) if where.isdigit() else None,
        dask=None if where.isdigit() else where,
        store=path,
        resume=resume,
        batch_runs=2,
        round_batches=8,
        trials=(4, 1),
    )
    assert result.document["runs"] == {RUNS}
    assert result.document["failures"]
    print(result.digest)
"""


def sitting(store: Path, where: str, *, resume: bool = False) -> "subprocess.Popen[str]":
    script = store.with_suffix(".py")
    script.write_text(SITTING, encoding="utf-8")
    arguments = [sys.executable, str(script), str(store), where, *(["resume"] if resume else [])]
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )


def digest_of(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate()
    assert process.returncode == 0
    return output.strip()


def done(store: Path) -> int:
    """How many batches and failures made small the store holds."""
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
            (batches,) = db.execute("SELECT COUNT(*) FROM batches WHERE counts IS NOT NULL").fetchone()
            (shrunk,) = db.execute("SELECT COUNT(*) FROM found WHERE shrunk = 1").fetchone()
    except sqlite3.OperationalError:
        return 0  # not there yet
    return int(batches) + int(shrunk)


def wait_for(store: Path, count: int, process: "subprocess.Popen[str]") -> None:
    while done(store) < count and process.poll() is None:
        time.sleep(0.1)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the campaign as one process does it in one sitting."""
    return digest_of(sitting(tmp_path_factory.mktemp("undisturbed") / "campaign.sqlite", "1"))


@pytest.mark.slow
def test_a_campaign_killed_and_resumed_again_and_again_has_exactly_the_runs_of_an_undisturbed_one(
    undisturbed: str, tmp_path: Path
) -> None:
    store = tmp_path / "campaign.sqlite"
    for kill in range(KILLS):
        process = sitting(store, "1" if kill else "2", resume=kill > 0)
        wait_for(store, 3 * (kill + 1), process)
        assert process.poll() is None, "the campaign ended before it could be killed"
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert digest_of(sitting(store, "2", resume=True)) == undisturbed


@contextmanager
def dask(folder: Path) -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """The address of a scheduler on a free port of this machine, and its two workers."""
    command = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": Path.cwd()}
    file = folder / "scheduler.json"
    started = [
        subprocess.Popen(
            [
                *command,
                "scheduler",
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--no-dashboard",
                "--scheduler-file",
                str(file),
            ],
            **quiet,  # type: ignore[call-overload]
        )
    ]
    try:
        while not file.is_file() or not file.read_text("utf-8").endswith("}"):
            assert started[0].poll() is None
            time.sleep(0.05)
        address = json.loads(file.read_text("utf-8"))["address"]
        for number in range(2):
            options = [
                "--no-nanny",
                "--no-dashboard",
                "--nthreads",
                "1",
                "--local-directory",
                str(folder / str(number)),
            ]
            started.append(subprocess.Popen([*command, "worker", address, *options], **quiet))  # type: ignore[call-overload]
        yield address, started[1:]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


@pytest.mark.slow
def test_a_dask_cluster_of_which_a_worker_is_killed_gives_the_same_campaign(undisturbed: str, tmp_path: Path) -> None:
    store = tmp_path / "campaign.sqlite"
    with dask(tmp_path) as (address, workers):
        process = sitting(store, address)
        wait_for(store, 5, process)
        assert process.poll() is None, "the campaign ended before its worker could be killed"
        workers[0].kill()
        assert digest_of(process) == undisturbed
