import json
import logging
from typing import Any

import pytest

from engine.buffer.model import Message, Receipt
from engine.buffer.monitoring import Monitoring
from engine.buffer.production import ObservedFunction
from engine.buffer.strategy import Strategy
from tests.unit.buffer.world import CONVERSATION, World, message


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Keeps(Strategy):
    """Takes every message, or answers as told."""

    receipt = Receipt()

    async def receive(self, message: Message) -> Receipt:
        return self.receipt


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def monitoring(clock: Clock) -> Monitoring:
    return Monitoring(enabled=True, monotonic=clock)


def sent(monitoring: Monitoring, number: int, call: str) -> None:
    monitoring("handover.sent", call=call, conversation=CONVERSATION, messages=[message(number)], key=None, fence=None)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.message) for record in caplog.records]


def function_of(world: World, monitoring: Monitoring) -> tuple[Keeps, ObservedFunction]:
    runtime = world.runtime()
    runtime._record = monitoring
    strategy = Keeps(runtime)
    return strategy, ObservedFunction(strategy, runtime, monitoring)


async def test_a_message_is_followed_from_its_call_to_its_effect(world: World, monitoring: Monitoring) -> None:
    strategy, function = function_of(world, monitoring)
    assert monitoring.where_is(CONVERSATION, "m1") is None
    assert await function.receive(message(1)) == 200
    assert monitoring.where_is(CONVERSATION, "m1") == "buffered"
    await strategy.runtime.hand_over([message(1)])
    assert monitoring.where_is(CONVERSATION, "m1") == "processed"
    await strategy.runtime.dead_letter([message(1)], "given up")
    assert monitoring.where_is(CONVERSATION, "m1") == "dead-lettered"


async def test_a_message_that_is_not_accepted_is_refused(world: World, monitoring: Monitoring) -> None:
    strategy, function = function_of(world, monitoring)
    strategy.receipt = Receipt(success=False)
    assert await function.receive(message(1)) == 503
    assert monitoring.where_is(CONVERSATION, "m1") == "refused"


async def test_a_fallback_is_processed_not_buffered(world: World, monitoring: Monitoring) -> None:
    strategy, function = function_of(world, monitoring)
    strategy.receipt = Receipt(success=False, fallback_to_immediate=True)
    assert await function.receive(message(1)) == 200
    assert monitoring.where_is(CONVERSATION, "m1") == "processed"


def test_a_hand_over_under_way_and_a_failed_one_are_told_apart(monitoring: Monitoring) -> None:
    sent(monitoring, 1, "h1")
    assert monitoring.where_is(CONVERSATION, "m1") == "handed over"
    monitoring("handover.failed", call="h1", error="HandOverFailed", refused=False)
    assert monitoring.where_is(CONVERSATION, "m1") == "failed"


def test_outcomes_and_latencies_are_counted(monitoring: Monitoring, clock: Clock) -> None:
    sent(monitoring, 1, "h1")
    clock.now = 3.0
    monitoring("handover.confirmed", call="h1")
    sent(monitoring, 2, "h2")
    monitoring("handover.failed", call="h2", error="HandOverFailed", refused=False)
    text = monitoring.exposition().decode()
    assert 'bufferproof_operations_total{operation="handover",outcome="success"} 1.0' in text
    assert 'bufferproof_operations_total{operation="handover",outcome="failure"} 1.0' in text
    assert 'bufferproof_operation_seconds_sum{operation="handover"} 3.0' in text


def test_a_message_s_age_is_from_its_call_to_the_confirmation(monitoring: Monitoring, clock: Clock) -> None:
    monitoring("webhook.arrived", call="w1", conversation=CONVERSATION, messages=[message(1)])
    clock.now = 8.0
    sent(monitoring, 1, "h1")
    clock.now = 10.0
    monitoring("handover.confirmed", call="h1")
    assert 'bufferproof_operation_seconds_sum{operation="message"} 10.0' in monitoring.exposition().decode()


def test_what_is_remembered_is_bounded(clock: Clock) -> None:
    monitoring = Monitoring(enabled=True, monotonic=clock, capacity=10)
    for number in range(100):
        monitoring("webhook.arrived", call=f"w{number}", conversation=CONVERSATION, messages=[message(number)])
        sent(monitoring, number, f"h{number}")
    assert monitoring.where_is(CONVERSATION, "m89") is None
    assert monitoring.where_is(CONVERSATION, "m90") == "handed over"
    assert len(monitoring._stages) == len(monitoring._received) == len(monitoring._calls) == 10


def test_a_line_holds_no_text_data_or_token(monitoring: Monitoring, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bufferproof")
    secret = message(1, "secret-text", {"x": "secret-data"})
    monitoring("handover.sent", call="h1", conversation=CONVERSATION, messages=[secret], key="k", fence=7)
    monitoring("note", note="claimed", token="secret-token", owner="secret-owner", batch={"text": "secret"}, attempt=2)
    assert "secret" not in caplog.text
    first, second = lines(caplog)
    assert first["ids"] == ["m1"]
    assert (first["conversation"], first["key"], first["fence"]) == (["bot", "4915112345"], "k", 7)
    assert second == {"event": "note", "note": "claimed", "attempt": 2}


@pytest.mark.parametrize(
    ("event", "fields", "logged"),
    [
        ("handover.confirmed", {"call": "h1"}, False),
        ("status", {"status": "success"}, False),
        ("status", {"status": "failed"}, True),
        ("webhook.answered", {"call": "w1", "status": 503}, True),
        ("webhook.answered", {"call": "w1", "status": 200}, False),
        ("task.failed", {"error": "ValueError"}, True),
        ("dead_letter", {"messages": [message(1)], "reason": "attempts used up"}, True),
    ],
)
def test_switched_off_it_logs_failures_alone(
    caplog: pytest.LogCaptureFixture, clock: Clock, event: str, fields: dict[str, Any], logged: bool
) -> None:
    caplog.set_level(logging.INFO, "bufferproof")
    monitoring = Monitoring(enabled=False, monotonic=clock)
    monitoring(event, **fields)
    assert len(caplog.records) == logged
    assert monitoring.where_is(CONVERSATION, "m1") is None
