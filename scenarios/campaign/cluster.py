"""A Dask cluster as the place where a campaign's tasks are done: the extra `dask`."""

import importlib
import re
from concurrent.futures import Future
from typing import Any

from engine.buffer.errors import UsageError
from scenarios.campaign.child import work_in_child
from scenarios.campaign.work import Outcome, Task

CONNECT_SECONDS = 10
_ADDRESS = re.compile(r"((tcp|tls|ws|wss|ucx)://)?\S+:\d+")


class Cluster:
    """The workers of a Dask scheduler, by `distributed`'s own executor. They must have bufferproof installed.

    The cluster itself gives the tasks of a worker that died to another one.
    """

    def __init__(self, address: str) -> None:
        if not _ADDRESS.fullmatch(address):
            # Said here: a client that could not even begin to connect reports that a second time when it is collected.
            raise UsageError(f"--dask {address}: write it as tcp://HOST:PORT, as `dask scheduler` prints it")
        # It ships no types.
        distributed: Any = importlib.import_module("distributed")
        try:
            self._client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            reason = " ".join(str(error).split()).partition(": ")[0]
            raise UsageError(
                f"--dask {address}: no scheduler answers there ({reason}): start one with `dask scheduler`"
            ) from None
        threads = sum(self._client.nthreads().values())
        if not threads:
            self._client.close()
            raise UsageError(f"--dask {address}: the cluster has no workers: start some with `dask worker {address}`")
        self.ahead = 2 * threads
        # The same batch may come again after a restart, and must then be done again: no memory by arguments.
        self._executor = self._client.get_executor(pure=False)

    def submit(self, task: Task) -> "Future[Outcome]":
        """Hand it to a worker."""
        future: Future[Outcome] = self._executor.submit(work_in_child, task)
        return future

    def restart(self) -> None:
        """The cluster's nannies replace their workers."""

    def close(self) -> None:
        """Leave the cluster, which goes on."""
        self._executor.shutdown(wait=False)
        self._client.close()
