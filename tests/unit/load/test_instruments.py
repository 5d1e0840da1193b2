"""What a load measures with: the arrivals, the wire, the processor's rules, the cuts."""

import asyncio
import json
import random
from typing import Any

import pytest

from engine import verification
from engine.load.design import Design
from engine.load.log import Log
from engine.load.processor import Processor
from engine.load.provider import Provider
from engine.load.proxy import Proxy
from engine.load.wire import Client, HttpServer, Parser, Reply
from engine.load.workload import bursts, poisson

HOST = "127.0.0.1"


def test_arrivals_are_the_same_for_the_same_seed_and_come_at_the_rate() -> None:
    def made(seed: str) -> list[Any]:
        return list(bursts(lambda rng: [0, rng.randrange(5_000)], rate=50, seconds=40, scale=0.1, seed=seed))

    assert made("a") == made("a") != made("b")
    assert 1_600 < len(made("a")) < 2_400
    assert all(0 <= arrival.at_seconds < 40 for arrival in made("a"))


def test_a_burst_is_one_person_s_with_its_gaps_scaled() -> None:
    arrivals = bursts(lambda _: [0, 1_000, 8_000], rate=1, seconds=20, scale=0.5, seed="x")
    by_person: dict[str, list[float]] = {}
    for arrival in arrivals:
        by_person.setdefault(arrival.user_phone, []).append(arrival.at_seconds)
    whole = [times for times in by_person.values() if len(times) == 3]
    assert whole
    assert all([round(at - times[0], 6) for at in times] == [0, 0.5, 4] for times in whole)


def test_independent_messages_come_from_the_people_there_are() -> None:
    assert {arrival.user_phone for arrival in poisson(rate=100, seconds=5, people=3, seed="x")} == {
        f"49{person:09d}" for person in range(3)
    }


def test_a_message_that_arrives_byte_by_byte_is_parsed_once_it_is_whole() -> None:
    parser, data = Parser(), b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A: b\r\n\r\nbody"
    for index in range(len(data) - 1):
        assert parser.feed(data[index : index + 1]) is None
    assert parser.feed(data[-1:]) == ("HTTP/1.1 200 OK", {"content-length": "4", "x-a": "b"}, b"body")


async def test_a_call_goes_over_a_connection_that_is_used_again_and_fails_if_it_breaks() -> None:
    async def answer(path: str, headers: Any, body: bytes) -> Reply:
        if body == b"never":
            await asyncio.sleep(60)
        return 201, path.encode() + body

    server = HttpServer(answer)
    await server.start(HOST)
    client = Client(HOST, server.port)
    assert await client.post("/a", {}, b"1", 5) == (201, b"/a1")
    assert await client.post("/b", {}, b"", 5) == (201, b"/b")
    assert len(server._open) == 1
    with pytest.raises(TimeoutError):
        await client.post("/", {}, b"never", 0.01)
    hanging = asyncio.create_task(client.post("/", {}, b"never", 5))
    await asyncio.sleep(0.05)
    await server.stop()
    with pytest.raises(ConnectionError):
        await hanging
    client.close()


async def hand_over(client: Client, ids: list[str], key: str | None = None, fence: int | None = None) -> int:
    messages = [{"messageId": each, "text": "t", "data": None} for each in ids]
    body = json.dumps({"instanceName": "bot", "userPhone": "49", "messages": messages}).encode()
    headers = {"x-request-id": "f1-h1"}
    headers |= {} if key is None else {"idempotency-key": key}
    headers |= {} if fence is None else {"fencing-token": str(fence)}
    status, _ = await client.post("/process", headers, body, 5)
    return status


async def test_the_processor_keeps_the_rules_of_the_simulated_one() -> None:
    log = Log()
    processor = Processor(log, (0.05, 0.05), "")
    await processor.start(HOST)
    client = Client(HOST, processor.port)
    both = asyncio.gather(hand_over(client, ["m1"], "k1", 5), hand_over(client, ["m1"], "k1", 6))
    assert list(await both) == [200, 200]
    assert await hand_over(client, ["m1"], "k1", 4) == 200  # done already: answered whatever its fence
    assert await hand_over(client, ["m2"], "k2", 4) == 409
    assert await hand_over(client, ["m3"]) == 200
    await processor.stop()
    client.close()
    outcomes = [event["outcome"] for event in log.events if event["event"] == "handover.ended"]
    assert outcomes == ["done", "joined", "repeated", "stale", "done"]
    assert processor.effects == {("bot", "49", "m1"), ("bot", "49", "m3")}


async def test_what_a_provider_and_a_processor_saw_is_a_history_that_the_judges_understand() -> None:
    """A service that hands over at once, and forgets one message: it is lost, and early."""
    log = Log()
    log("start", **Design("lease", 0.1, {}).start_event(1))
    processor = Processor(log, (0, 0), "")
    await processor.start(HOST)
    to_processor = Client(HOST, processor.port)

    async def service(path: str, headers: Any, body: bytes) -> Reply:
        message_id = json.loads(body)["message_id"]
        if not message_id.endswith("-0"):
            await to_processor.post("/", {"x-request-id": "f1-h1"}, _batch(json.loads(body)), 5)
        return 200, b"{}"

    server = HttpServer(service)
    await server.start(HOST)
    client = Client(HOST, server.port)
    provider = Provider(log, client, timeout_seconds=5, scale=0.1)
    await provider.run(bursts(lambda _: [0, 10], rate=100, seconds=0.2, scale=1, seed="x"))
    log("end", reason="quiet", completed=True, keys={})
    found = {each.invariant: each for each in verification.judge(log.events)}
    assert found["no_loss"].verdict == "violated"
    assert found["buffered"].verdict == "violated"
    assert found["no_duplicate"].verdict == found["integrity"].verdict == found["available"].verdict == "holds"
    assert provider.add.get_total_count() == len(provider.accepted) == len(provider.sent) > 0
    for part in (client, to_processor):
        part.close()
    await server.stop()
    await processor.stop()


def _batch(message: dict[str, Any]) -> bytes:
    entry = {"messageId": message["message_id"], "text": message["text"], "data": message["data"]}
    names = {"instanceName": message["instance_name"], "userPhone": message["user_phone"]}
    return json.dumps({**names, "messages": [entry]}).encode()


async def test_a_provider_repeats_what_was_refused_and_counts_it() -> None:
    refused = ["once"]

    async def service(path: str, headers: Any, body: bytes) -> Reply:
        return (503, b"") if refused and refused.pop() else (200, b"")

    server = HttpServer(service)
    await server.start(HOST)
    client = Client(HOST, server.port)
    provider = Provider(Log(), client, timeout_seconds=5, scale=0.001)
    await provider.run(poisson(rate=50, seconds=0.1, people=1, seed="x")[:1])
    assert (provider.errors, provider.repeats, len(provider.accepted)) == ({"503": 1}, 1, 1)
    client.close()
    await server.stop()


async def test_a_cut_connection_breaks_on_both_sides() -> None:
    async def echo(path: str, headers: Any, body: bytes) -> Reply:
        if body == b"slow":
            await asyncio.sleep(60)
        return 200, body

    server = HttpServer(echo)
    await server.start(HOST)
    proxy = Proxy(HOST, server.port)
    await proxy.start()
    client = Client(HOST, proxy.port)
    assert await client.post("/", {}, b"through", 5) == (200, b"through")
    waiting = asyncio.create_task(client.post("/", {}, b"slow", 5))
    await asyncio.sleep(0.05)
    assert proxy.cut(random.Random(0), 1.0) == 1
    with pytest.raises(ConnectionError):
        await waiting
    assert await client.post("/", {}, b"again", 5) == (200, b"again")
    client.close()
    await proxy.stop()
    await server.stop()
