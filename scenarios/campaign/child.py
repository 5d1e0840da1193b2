"""A process of its own below a worker of a cluster.

The simulator replaces the clocks and the randomness of its whole process while a run goes on, and needs the main thread to
stop a run that never ends. A Dask worker needs its clocks and has its main thread in use. So a worker's thread keeps a child,
gives it one task after the other through its standard input, and has the outcomes from its standard output.

    python -m scenarios.campaign.child
"""

import os
import pickle
import subprocess
import sys
import threading

from scenarios.campaign.work import Outcome, Task, work

_LOCAL = threading.local()


class ChildDied(Exception):
    """The child ended before it had done its task."""


def work_in_child(task: Task) -> Outcome:
    """Do a task in this thread's child, which is started if there is none. Raises `ChildDied`."""
    child: subprocess.Popen[bytes] | None = getattr(_LOCAL, "child", None)
    if child is None or child.poll() is not None:
        child = _LOCAL.child = subprocess.Popen(
            [sys.executable, "-m", "scenarios.campaign.child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        pickle.dump(task, child.stdin)
        child.stdin.flush()
        outcome, error = pickle.load(child.stdout)  # from our own child
    except (OSError, EOFError, pickle.UnpicklingError) as broken:
        child.kill()
        raise ChildDied(f"a worker's process died: {broken or type(broken).__name__}") from None
    if error is not None:
        raise error
    return outcome  # type: ignore[no-any-return]


def main() -> None:
    """Do tasks until standard input ends, as it does when the worker dies."""
    # What a task prints must not get between the outcomes.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while True:
        try:
            task = pickle.load(sys.stdin.buffer)  # from our own parent
        except EOFError:
            return
        answer: tuple[Outcome | None, Exception | None]
        try:
            answer = (work(task), None)
        except Exception as error:
            answer = (None, error)
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
