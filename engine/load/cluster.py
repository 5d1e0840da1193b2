"""An embedded Redis Cluster: several embedded servers on loopback, with replicas, joined by commands."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from engine.buffer.errors import UsageError
from engine.load.server import EmbeddedServer, embedded_server

SLOTS = 16_384
JOIN_TIMEOUT_SECONDS = 60


class EmbeddedCluster:
    """`primaries[i]` has the i-th share of the slots, and `replicas[i]` follows it, if there are replicas."""

    def __init__(self, primaries: list[EmbeddedServer], replicas: list[EmbeddedServer]) -> None:
        self.primaries = primaries
        self.replicas = replicas

    @property
    def nodes(self) -> list[EmbeddedServer]:
        """All servers."""
        return [*self.primaries, *self.replicas]

    @property
    def url(self) -> str:
        """A URL that `REDIS_URL` takes; the client finds the other nodes by itself."""
        first = self.primaries[0]
        return f"redis+cluster://{first.host}:{first.port}"

    def replica_of(self, primary: EmbeddedServer) -> EmbeddedServer:
        """Who takes over when it is gone."""
        return self.replicas[self.primaries.index(primary)]

    def join(self) -> None:
        """Give out the slots, introduce the nodes to each other, and wait until all agree. Raises `UsageError`."""
        count = len(self.primaries)
        for number, server in enumerate(self.primaries):
            ask(server, "CLUSTER", "ADDSLOTSRANGE", SLOTS * number // count, SLOTS * (number + 1) // count - 1)
            ask(server, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        first = self.primaries[0]
        for server in self.nodes[1:]:
            ask(first, "CLUSTER", "MEET", server.host, server.port, server.bus_port)
        wait_for("the nodes know each other", lambda: all(self._knows_all(server) for server in self.nodes))
        for primary, replica in zip(self.primaries, self.replicas, strict=False):
            ask(replica, "CLUSTER", "REPLICATE", ask(primary, "CLUSTER", "MYID").decode())
        wait_for("every slot is served", lambda: all(info(server)["cluster_state"] == "ok" for server in self.nodes))
        wait_for("the replicas follow", lambda: all(follows(server) for server in self.replicas))

    def _knows_all(self, server: EmbeddedServer) -> bool:
        return int(info(server)["cluster_known_nodes"]) == len(self.nodes)


@contextmanager
def embedded_cluster(
    *, primaries: int = 3, replicas: bool = True, node_timeout_ms: int = 2_000, appendonly: bool = False
) -> Iterator[EmbeddedCluster]:
    """A running cluster, stopped at the end. `node_timeout_ms`: after that long without an answer a node counts as gone.

    Raises `UsageError` if there is no server program, or if the nodes do not come together.
    """
    extra = {
        "cluster-node-timeout": str(node_timeout_ms),
        "cluster-replica-validity-factor": "0",  # a replica takes over however long it has heard nothing
        "repl-diskless-sync-delay": "0",
    }
    with ExitStack() as stack:
        started = [
            stack.enter_context(embedded_server(cluster=True, extra=extra, appendonly=appendonly))
            for _ in range(primaries * (2 if replicas else 1))
        ]
        cluster = EmbeddedCluster(started[:primaries], started[primaries:])
        cluster.join()
        yield cluster


def ask(server: EmbeddedServer, *command: Any) -> Any:
    """One command to one node. Raises `redis.exceptions.RedisError`."""
    with Redis(host=server.host, port=server.port, protocol=2) as client:
        connection = client.connection_pool.get_connection()
        connection.send_command(*command)
        return connection.read_response()


def info(server: EmbeddedServer) -> dict[str, str]:
    """A node's view of the cluster (`CLUSTER INFO`)."""
    return dict(line.split(":", 1) for line in ask(server, "CLUSTER", "INFO").decode().split())


def follows(server: EmbeddedServer) -> bool:
    """Whether a replica is in step with its primary."""
    lines = ask(server, "INFO", "replication").decode().split()
    return "role:slave" in lines and "master_link_status:up" in lines


def is_replicated(server: EmbeddedServer) -> bool:
    """Whether a primary's replica has confirmed all that was written so far: `WAIT` speaks of one connection's writes alone."""
    fields = dict(line.split(":", 1) for line in ask(server, "INFO", "replication").decode().split() if ":" in line)
    confirmed = [part for part in fields.get("slave0", "").split(",") if part.startswith("offset=")]
    return confirmed == [f"offset={fields['master_repl_offset']}"]


def is_primary(server: EmbeddedServer) -> bool:
    """Whether a node has taken over, or has been a primary all the time."""
    return "role:master" in ask(server, "INFO", "replication").decode().split()


def wait_for(what: str, holds: Any) -> None:
    """Wait until it holds. Raises `UsageError` if it does not within a minute."""
    deadline = time.monotonic() + JOIN_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except RedisError:
            pass
        time.sleep(0.05)
    raise UsageError(f"the embedded cluster did not come to where {what}: try again, or give one with --redis-url")
