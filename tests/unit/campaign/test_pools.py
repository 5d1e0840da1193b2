"""A worker that dies is replaced, and what it had begun is done again, once."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from fractions import Fraction
from functools import partial

import pytest

from engine.buffer.errors import UsageError
from scenarios.campaign.plan import Batch, Campaign, round_of
from scenarios.campaign.pools import Processes, do_all
from scenarios.campaign.work import Done, Outcome, Task

ASKED = Campaign(strategies=("lock",), scenarios=("boundary",), policies=("timed",), seed=1, round_batches=8)
BATCHES = round_of(ASKED, 0, 0, {"timed": Fraction(1)})


class Dying:
    """A pool whose workers die at these tasks, counted over all that were handed out; then all that it has is lost."""

    ahead = 3

    def __init__(self, *dies_at: int) -> None:
        self._dies_at = set(dies_at)
        self._handed_out = 0
        self._pending: list[tuple[Future[Outcome], Task]] = []
        self.restarts = 0

    def submit(self, task: Task) -> "Future[Outcome]":
        future: Future[Outcome] = Future()
        self._handed_out += 1
        self._pending.append((future, task))
        if self._handed_out in self._dies_at:
            for each, _ in self._pending:
                each.set_exception(BrokenProcessPool("a process died"))
            self._pending.clear()
        elif len(self._pending) == self.ahead or (isinstance(task, Batch) and task.number == BATCHES[-1].number):
            for each, its in self._pending:
                assert isinstance(its, Batch)
                each.set_result(Done(batch=its, counts={}, points=[], found=[]))
            self._pending.clear()
        return future

    def restart(self) -> None:
        self.restarts += 1

    def close(self) -> None: ...


def numbers(pool: Dying) -> list[int]:
    outcomes = do_all(pool, partial(next, iter(BATCHES), None), lambda: None)
    return [outcome.batch.number for outcome in outcomes if isinstance(outcome, Done)]


@pytest.mark.parametrize("dies_at", [(), (1,), (2, 5), (1, 2, 3)])
def test_every_batch_is_done_once_whenever_workers_die(dies_at: tuple[int, ...]) -> None:
    pool = Dying(*dies_at)
    assert sorted(numbers(pool)) == [batch.number for batch in BATCHES]
    assert pool.restarts <= len(dies_at)


def test_workers_that_always_die_end_the_campaign_with_one_line() -> None:
    with pytest.raises(UsageError, match="die again and again"):
        numbers(Dying(*range(1, 200)))


def test_a_defect_of_the_program_is_not_taken_for_a_death() -> None:
    class Failing(Dying):
        def submit(self, task: Task) -> "Future[Outcome]":
            future: Future[Outcome] = Future()
            future.set_exception(ZeroDivisionError())
            return future

    with pytest.raises(ZeroDivisionError):
        numbers(Failing())


def test_one_task_at_most_is_handed_out_and_not_begun() -> None:
    pool = Processes(3)
    assert pool.ahead - 3 == 1
    pool.close()
