import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from engine.buffer.errors import HandOverFailed
from engine.buffer.function import Function
from engine.buffer.model import Conversation, Delivery, Message, Receipt
from engine.buffer.runtime import DELIVERY_PATH, Runtime
from engine.buffer.service import create_app
from engine.buffer.strategy import Strategy
from tests.unit.buffer.world import World

PLAIN = {"instance_name": "bot", "user_phone": "49151", "message_id": "m1", "text": "hello"}
NAMES = {"instanceName": "bot", "userPhone": "49151"}
KEY = {"Authorization": "Bearer service-key"}


class Answers(Strategy):
    """Answers as told, and remembers what it got."""

    name = "answers"

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.receipt: Receipt | Exception = Receipt()
        self.delivery: Delivery | Exception = Delivery(processed=2)
        self.got: list[Message | Conversation] = []

    async def receive(self, message: Message) -> Receipt:
        self.got.append(message)
        if isinstance(self.receipt, Exception):
            raise self.receipt
        return self.receipt

    async def deliver(self, conversation: Conversation) -> Delivery:
        self.got.append(conversation)
        if isinstance(self.delivery, Exception):
            raise self.delivery
        return self.delivery


class Served:
    """A client of a service whose strategy answers as told."""

    def __init__(self, world: World, **settings: Any) -> None:
        runtime = world.runtime(**settings)
        self.world = world
        self.strategy = Answers(runtime)
        function = Function(self.strategy, runtime, lambda event, **fields: None)
        app = create_app(function, runtime.settings)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")

    async def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = await self.client.post(path, content=content, headers=headers)
        return response.status_code, response.json()


@pytest.fixture
async def served(world: World) -> Served:
    return Served(world)


async def test_a_message_that_is_taken_is_answered_200(served: Served) -> None:
    assert await served.post("/webhook", PLAIN) == (200, {"success": True})
    assert len(served.strategy.got) == 1


@pytest.mark.parametrize("receipt", [Receipt(success=False), OSError("gone")])
async def test_a_message_that_is_not_taken_is_answered_503(served: Served, receipt: Receipt | Exception) -> None:
    served.strategy.receipt = receipt
    assert await served.post("/webhook", PLAIN) == (503, {"success": False})


async def test_a_fallback_is_as_good_as_its_hand_over(served: Served) -> None:
    served.strategy.receipt = Receipt(success=False, fallback_to_immediate=True)
    assert await served.post("/webhook", PLAIN) == (200, {"success": True})
    served.world.processor_status = 500
    assert await served.post("/webhook", PLAIN) == (503, {"success": False})
    assert served.world.batches == [["m1"], ["m1"]]


async def test_an_event_without_a_message_is_answered_200_and_not_received(served: Served) -> None:
    status, body = await served.post("/webhook", {"event": "connection.update"})
    assert (status, body["success"], served.strategy.got) == (200, True, [])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe\xfd", 400),
        (b'{"text": NaN}', 400),
        (b'{"data": 1' + b"0" * 5_000 + b"}", 400),
        (b"[" * 100_000, 422),
        ({**PLAIN, "message_id": ""}, 422),
        (b" " * 8_000_001, 413),
    ],
)
async def test_a_bad_body_is_refused(served: Served, body: Any, status: int) -> None:
    answered, reply = await served.post("/webhook", body)
    assert (answered, reply["success"], served.strategy.got) == (status, False, [])
    assert reply["error"]


async def test_a_body_sent_in_chunks_is_limited_too(world: World) -> None:
    served = Served(world, MAX_BODY_BYTES=1_000)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b" " * 100

    response = await served.client.post("/webhook", content=chunks())
    assert response.status_code == 413


async def test_data_a_hundred_levels_deep_arrives_unchanged(served: Served) -> None:
    data: Any = {"big": 1234567890123456789, "empty": [], "lone": "\ud800"}
    for _ in range(100):
        data = [data]
    assert await served.post("/webhook", {**PLAIN, "data": data}) == (200, {"success": True})
    (message,) = served.strategy.got
    assert isinstance(message, Message)
    assert message.data == data


async def test_a_webhook_token_is_asked_for_only_if_one_is_set(world: World) -> None:
    served = Served(world, WEBHOOK_TOKEN="let-me-in")
    for headers in ({}, {"Authorization": "Bearer let-me-out"}, {"Authorization": "let-me-in"}, KEY):
        assert (await served.post("/webhook", PLAIN, headers))[0] == 401
    assert served.strategy.got == []
    assert (await served.post("/webhook", PLAIN, {"Authorization": "bearer let-me-in"}))[0] == 200


async def test_a_delivery_is_answered_with_what_was_processed(served: Served) -> None:
    assert await served.post(DELIVERY_PATH, NAMES, KEY) == (200, {"success": True, "processed": 2})
    assert served.strategy.got == [Conversation(instance_name="bot", user_phone="49151")]


async def test_a_delivery_that_raises_is_answered_500(served: Served) -> None:
    served.strategy.delivery = HandOverFailed("no")
    assert await served.post(DELIVERY_PATH, NAMES, KEY) == (500, {"success": False, "processed": 0})


@pytest.mark.parametrize("token", ["", "service-ke", "service-key ", "schlüssel"])
async def test_a_delivery_without_the_service_key_is_refused(served: Served, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".encode()}
    response = await served.client.post(DELIVERY_PATH, content=json.dumps(NAMES), headers=headers)  # type: ignore[arg-type]
    assert (response.status_code, response.json()["success"], served.strategy.got) == (401, False, [])


@pytest.mark.parametrize("body", [b"", [], {}, {"instanceName": "bot"}, {"instanceName": "bot", "userPhone": 7}])
async def test_a_delivery_of_no_conversation_is_refused(served: Served, body: Any) -> None:
    assert (await served.post(DELIVERY_PATH, body, KEY))[0] == 400
    assert served.strategy.got == []


async def test_health_is_whether_redis_answers(served: Served) -> None:
    assert (await served.client.get("/health")).status_code == 200
    served.world.redis.failing = {"PING"}
    response = await served.client.get("/health")
    assert (response.status_code, response.json()["success"]) == (503, False)
