"""The plan's monitoring: a log line an event, counts and latencies for Prometheus, and where each message is.

It takes the same events as a simulation's history (`docs/history.md`). No text, data or secret of a message gets into
a line: of messages the ids, of a note only plain values under harmless names. What is remembered is bounded.
"""

import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from engine.buffer.model import Conversation, Message

_log = logging.getLogger("bufferproof")

#: Seconds, up to the time that a hand-over may take.
LATENCY_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 8, 10, 15, 30, 60, 120, 150)

_HIDDEN = frozenset({"text", "texts", "data", "body", "token", "owner", "secret", "apikey", "authorization"})
_TEXT_CHARS_MAX = 300
_STAGE_OF_EVENT = {
    "webhook.arrived": "received",
    "handover.sent": "handed over",
    "handover.confirmed": "processed",
    "handover.failed": "failed",
    "dead_letter": "dead-lettered",
}

MessageName = tuple[str, str, str]


class Monitoring:
    """A recorder for production. Switched off, it logs failures only and keeps nothing."""

    def __init__(self, *, enabled: bool, monotonic: Callable[[], float], capacity: int = 10_000) -> None:
        """`monotonic` gives seconds; `capacity` is how many messages, and how many calls, are remembered."""
        self._enabled = enabled
        self._monotonic = monotonic
        self._capacity = capacity
        self._stages: OrderedDict[MessageName, str] = OrderedDict()
        self._received: OrderedDict[MessageName, float] = OrderedDict()
        self._calls: OrderedDict[str, tuple[float, list[MessageName]]] = OrderedDict()
        self._registry = CollectorRegistry()
        self._events = Counter("bufferproof_events", "Events, by kind and outcome.", ["event"], registry=self._registry)
        self._outcomes = Counter(
            "bufferproof_operations", "Finished operations.", ["operation", "outcome"], registry=self._registry
        )
        self._latencies = Histogram(
            "bufferproof_operation_seconds",
            "How long operations took; message: from its webhook call to the processor's confirmation.",
            ["operation"],
            buckets=LATENCY_BUCKETS,
            registry=self._registry,
        )

    def __call__(self, event: str, **fields: Any) -> None:
        """Record one event."""
        level = logging.WARNING if _is_failure(event, fields) else logging.INFO
        if self._enabled or level == logging.WARNING:
            _log.log(level, json.dumps({"event": event, **_harmless(fields)}))
        if self._enabled:
            self._events.labels(event).inc()
            self._follow_call(event, fields)

    def where_is(self, conversation: Conversation, message_id: str) -> str | None:
        """Where a message is, as far as this function saw it, or None if it did not or has forgotten.

        received, refused, buffered, handed over, processed, failed (not confirmed, or not accepted), dead-lettered.
        """
        return self._stages.get((conversation.instance_name, conversation.user_phone, message_id))

    def exposition(self) -> bytes:
        """Counts and latencies in the Prometheus text format."""
        return generate_latest(self._registry)

    def _follow_call(self, event: str, fields: dict[str, Any]) -> None:
        operation, _, step = event.partition(".")
        call = fields.get("call")
        names = _names(fields.get("messages", ()))
        if call is not None and step in ("sent", "posted", "arrived"):
            self._remember(self._calls, call, (self._monotonic(), names))
        elif call is not None and call in self._calls and step in ("confirmed", "failed", "answered"):
            began, names = self._calls.pop(call)
            self._latencies.labels(operation).observe(self._monotonic() - began)
            self._outcomes.labels(operation, "failure" if _is_failure(event, fields) else "success").inc()
        self._follow_messages(event, names, fields)

    def _follow_messages(self, event: str, names: list[MessageName], fields: dict[str, Any]) -> None:
        if event == "webhook.arrived":
            for name in names:
                self._remember(self._received, name, self._monotonic())
        elif event == "webhook.answered":
            self._answered(names, accepted=not _is_failure(event, fields))
        elif event == "handover.confirmed":
            self._observe_ages(names)
        if event in _STAGE_OF_EVENT:
            for name in names:
                self._remember(self._stages, name, _STAGE_OF_EVENT[event])

    def _answered(self, names: list[MessageName], *, accepted: bool) -> None:
        # A message that fell back to an immediate hand-over is further than "buffered" by now.
        for name in names:
            if self._stages.get(name) == "received":
                self._remember(self._stages, name, "buffered" if accepted else "refused")

    def _observe_ages(self, names: list[MessageName]) -> None:
        for name in names:
            received = self._received.pop(name, None)
            if received is not None:
                self._latencies.labels("message").observe(self._monotonic() - received)

    def _remember(self, memory: "OrderedDict[Any, Any]", key: Any, value: Any) -> None:
        memory[key] = value
        memory.move_to_end(key)
        if len(memory) > self._capacity:
            memory.popitem(last=False)


def _is_failure(event: str, fields: dict[str, Any]) -> bool:
    status = fields.get("status")
    bad_status = status == "failed" or (isinstance(status, int) and status >= 400)
    return event.endswith(".failed") or event == "dead_letter" or bad_status


def _names(messages: Sequence[Message]) -> list[MessageName]:
    return [(m.conversation.instance_name, m.conversation.user_phone, m.message_id) for m in messages]


def _harmless(fields: dict[str, Any]) -> dict[str, Any]:
    """What of an event's fields may stand in a log."""
    shown: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "messages":
            shown["ids"] = [message.message_id for message in value]
        elif isinstance(value, Conversation):
            shown[name] = [value.instance_name, value.user_phone]
        elif name.lower() in _HIDDEN:
            continue
        elif isinstance(value, str):
            shown[name] = value[:_TEXT_CHARS_MAX]
        elif value is None or isinstance(value, bool | int | float):
            shown[name] = value
    return shown
