"""Counts for Prometheus, fed by the events of a function. Several workers' counts are added up (`serving.py`)."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

from engine.buffer.model import Backlog

#: Seconds, up to the time that a hand-over may take.
LATENCY_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 8, 10, 15, 30, 60, 120, 150)
#: Messages of a batch.
SIZE_BUCKETS = (1, 2, 3, 5, 10, 20, 50, 100, 1_000)


class Metrics:
    """The metrics of one process. Names and meanings: `docs/service.md`."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()

        def counter(name: str, what: str, labels: Sequence[str] = ()) -> Counter:
            return Counter(f"bufferproof_{name}", what, labels, registry=self._registry)

        self._events = counter("events", "Events, by kind.", ["event"])
        self._operations = counter("operations", "Finished operations.", ["operation", "outcome"])
        self._received = counter("received", "Webhook calls with a message.")
        self._buffered = counter("buffered", "Messages accepted: answered 200.")
        self._repeats = counter("repeats_recognised", "Calls with a message that was there already.")
        self._refused = counter("refused", "Calls refused: malformed, too long, or with a wrong token.", ["status"])
        self._batches = counter("batches", "Batches that the processor confirmed.")
        self._retries = counter("retries", "Batches claimed again, and deliveries that failed.", ["what"])
        self._dead_letters = counter("dead_letters", "Messages given up.")
        self._redis_errors = counter("redis_errors", "Commands that failed.", ["error"])
        self._sizes = Histogram(
            "bufferproof_batch_messages",
            "Messages of a confirmed batch.",
            buckets=SIZE_BUCKETS,
            registry=self._registry,
        )
        self._latencies = Histogram(
            "bufferproof_operation_seconds",
            "How long operations took; message: from its webhook call to the processor's confirmation.",
            ["operation"],
            buckets=LATENCY_BUCKETS,
            registry=self._registry,
        )
        self._counted: dict[str, Callable[[dict[str, Any]], None]] = {
            "webhook.arrived": lambda fields: self._received.inc(),
            "webhook.repeated": lambda fields: self._repeats.inc(),
            "webhook.answered": lambda fields: self._buffered.inc(fields["status"] == 200),
            "call.refused": lambda fields: self._refused.labels(fields["status"]).inc(),
            "dead_letter": lambda fields: self._dead_letters.inc(len(fields["messages"])),
            "redis.failed": lambda fields: self._redis_errors.labels(fields["error"]).inc(),
            "delivery.failed": lambda fields: self._retries.labels("delivery").inc(),
            "delivery.confirmed": lambda fields: self._retries.labels("delivery").inc(fields["status"] >= 300),
            "note": lambda fields: self._retries.labels("batch").inc(fields["note"] == "claimed again"),
        }

    def count(self, event: str, fields: dict[str, Any]) -> None:
        """Count one event."""
        self._events.labels(event).inc()
        if (counted := self._counted.get(event)) is not None:
            counted(fields)

    def ended(self, operation: str, seconds: float, *, failed: bool, messages: int) -> None:
        """An operation ended; `messages`: of the batch, if it was a hand-over."""
        self._latencies.labels(operation).observe(seconds)
        self._operations.labels(operation, "failure" if failed else "success").inc()
        if operation == "handover" and not failed:
            self._batches.inc()
            self._sizes.observe(messages)

    def answered(self, seconds: float) -> None:
        """A message was answered, so long after its webhook call."""
        self._latencies.labels("message").observe(seconds)

    def exposition(self, backlog: Backlog | None = None) -> bytes:
        """The Prometheus text format; of all workers where there are several. `backlog`: what waits, if it is known."""
        registry = self._registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry) + (_of_backlog(backlog) if backlog else b"")


def _of_backlog(backlog: Backlog) -> bytes:
    """Not kept by a process: looked up in Redis for each scrape, so it is the same whichever worker answers."""
    lines = []
    for name, what, value in (
        ("pending", "Conversations with anything unfinished.", backlog.conversations),
        ("oldest_pending_seconds", "How long the longest waiting has been due.", backlog.oldest_overdue_seconds),
    ):
        lines += [
            f"# HELP bufferproof_{name} {what}",
            f"# TYPE bufferproof_{name} gauge",
            f"bufferproof_{name} {value}",
        ]
    return ("\n".join(lines) + "\n").encode("ascii")
