"""`bufferproof serve` as processes, on an embedded server: what it answers, what it says, how it stops and comes back."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psutil
import pytest

from engine.buffer.catalogue import load_strategy
from engine.buffer.production import connect, create_production_app
from engine.buffer.settings import Settings
from engine.cli.main import main
from engine.load.log import Log
from engine.load.processor import Processor
from engine.load.server import EmbeddedServer, embedded_server, free_port

pytestmark = pytest.mark.real_server
KEY = {"Authorization": "Bearer service-key"}
#: For what must come: no test is about how soon.
PATIENCE_SECONDS = 600


def message(number: int, person: str = "49151") -> dict[str, Any]:
    return {"instance_name": "bot", "user_phone": person, "message_id": f"m{number}", "text": "secret text"}


class Serve:
    """A running `bufferproof serve`."""

    def __init__(self, redis_url: str, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "engine.cli.main", "serve"),
                *("--port", str(self.port), "--redis-url", redis_url, *arguments),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))  # every line is a JSON object, or this fails the test

    def events(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    def warnings(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("status", 200) in (401, 400, 413, 422, 503)]

    def post(self, body: Any, **options: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.post(f"{self.url}/webhook", content=content, timeout=PATIENCE_SECONDS, **options)

    def metrics(self) -> str:
        return httpx.get(f"{self.url}/metrics", headers=KEY, timeout=PATIENCE_SECONDS).text

    def stop(self) -> tuple[int, str]:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """Its exit status and what it said on stderr, once it has ended."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        status = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        said = "" if self.process.stderr.closed else self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return status, said


@contextmanager
def serving(redis_url: str, *arguments: str, workers: int = 1) -> Iterator[Serve]:
    serve = Serve(redis_url, "--workers", str(workers), *arguments)

    def started() -> bool:
        assert serve.process.poll() is None, "it ended before it had started"
        return len(serve.events("service.started")) >= workers

    try:
        until(started)
        yield serve
    finally:
        if serve.process.poll() is None:
            serve.process.kill() if workers == 1 else serve.process.terminate()
        serve.ended()


def until(holds: Callable[[], Any]) -> Any:
    """Wait for something that must come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with embedded_server() as running:
        yield running


def test_a_bad_call_is_refused_with_its_status_and_one_line_each_and_no_secret_is_logged(
    server: EmbeddedServer,
) -> None:
    options = ("--set", "WEBHOOK_TOKEN=let-me-in", "--set", "MAX_BODY_BYTES=1000", "--set", "MAX_NAME_CHARS=20")
    right = {"Authorization": "Bearer let-me-in"}
    with serving(server.url, *options) as serve:
        assert serve.post(message(1)).status_code == 401
        assert serve.post(message(1), headers={"Authorization": "Bearer wrong-token"}).status_code == 401
        assert serve.post(b"{", headers=right).status_code == 400
        assert serve.post(b" " * 1_001, headers=right).status_code == 413
        assert serve.post(message(1, "4" * 21), headers=right).status_code == 422
        assert serve.post(message(1), headers=right).status_code == 200
        status, said = serve.stop()
    assert status == 0
    assert "warning: PROCESSOR_URL is not set" in said
    assert "warning: SERVICE_KEY is the default" in said
    assert "WEBHOOK_TOKEN" not in said
    assert [line["status"] for line in serve.events("call.refused")] == [401, 401, 400, 413, 422]
    assert [line["status"] for line in serve.warnings()] == [401, 401, 400, 413, 422]
    everything = json.dumps(serve.lines)
    assert not any(secret in everything for secret in ("secret text", "wrong-token", "let-me-in", "service-key"))


@pytest.mark.slow
def test_a_redis_that_is_down_at_start_and_goes_away_is_503_until_it_is_back(server: EmbeddedServer) -> None:
    away = EmbeddedServer()
    away.port = free_port()
    try:
        with serving(away.url) as serve:
            assert serve.post(message(1)).status_code == 503
            assert httpx.get(f"{serve.url}/health").status_code == 503
            (line,) = serve.warnings()
            assert (line["event"], "ConnectionError" in line["error"]) == ("webhook.answered", True)
            away.start()
            assert serve.post(message(1)).status_code == 200
            away.stop()
            assert serve.post(message(2)).status_code == 503
            assert len(serve.warnings()) == 2
            away.start()
            assert serve.post(message(2)).status_code == 200
            assert "bufferproof_redis_errors_total" in serve.metrics()
            _, said = serve.stop()
    finally:
        away.close()
    assert "does not answer" in said


@pytest.mark.slow
def test_several_workers_are_one_service_and_a_killed_one_is_replaced(server: EmbeddedServer) -> None:
    with serving(server.url, "--set", "BUFFER_DELAY_MS=600000", workers=2) as serve:
        for number in range(6):
            assert serve.post(message(number, "workers")).status_code == 200
        assert serve.post(message(0, "workers")).status_code == 200
        counts = serve.metrics()  # whichever worker answers
        assert "bufferproof_received_total 7.0" in counts
        assert "bufferproof_buffered_total 7.0" in counts
        assert "bufferproof_repeats_recognised_total 1.0" in counts
        assert "bufferproof_pending " in counts
        children = psutil.Process(serve.process.pid).children()
        workers = [child for child in children if any("spawn_main" in word for word in child.cmdline())]
        assert len(workers) == 2
        workers[0].kill()
        until(lambda: len(serve.events("service.started")) >= 3)
        assert serve.post(message(7, "workers")).status_code == 200
        status, _ = serve.stop()
    assert status == 0
    assert len(serve.events("service.stopped")) == 2


async def processor_of(work_seconds: float) -> tuple[Processor, str]:
    processor = Processor(Log(), (work_seconds, work_seconds), "")
    await processor.start("127.0.0.1")
    return processor, f"http://127.0.0.1:{processor.port}/process"


@pytest.mark.slow
async def test_a_stop_finishes_what_it_can_and_gives_back_the_rest(
    server: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The processor needs longer than the stop allows: the batch is free at once, not when its lease ends."""
    processor, url = await processor_of(600)
    quick, quick_url = await processor_of(0.01)
    options = ("--set", "BUFFER_DELAY_MS=10", "--set", "GRACEFUL_STOP_SECONDS=1", "--set", "SHARDS=1")

    def stopped_in_the_middle() -> None:
        with serving(server.url, "--processor-url", url, *options) as serve:
            assert serve.post(message(1, "given-back")).status_code == 200
            until(lambda: serve.events("handover.sent"))
            assert serve.stop()[0] == 0

    def another_takes_over() -> None:
        with serving(server.url, "--processor-url", quick_url, *options, "--set", "TIME_SCALE=0.1") as serve:
            until(lambda: serve.events("handover.confirmed"))
            serve.stop()

    await asyncio.to_thread(stopped_in_the_middle)
    redis = connect(server.url)
    assert await redis.hget("{bp:0}:state:bot:given-back", "token") is None  # nobody holds it
    await redis.aclose()
    await asyncio.to_thread(another_takes_over)
    await processor.stop()
    await quick.stop()
    assert quick.effects == {("bot", "given-back", "m1")}
    capsys.readouterr()
    assert await asyncio.to_thread(main, ["track", "m1", "--redis-url", server.url]) == 0
    told = capsys.readouterr().out
    stages = [line.split()[1:3] for line in told.split("bot given-back\n")[1].splitlines() if line.startswith("  ")]
    shown = [" ".join(each).partition(" f-")[0] for each in stages]
    assert shown[:2] == ["received", "buffered"]
    assert shown[-2:] == ["handed over", "processed"]
    assert "secret text" not in told


async def test_a_drain_hands_over_what_a_stopped_service_has_buffered(
    server: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    processor, url = await processor_of(0.01)

    def served_and_stopped() -> None:
        with serving(server.url, "--set", "BUFFER_DELAY_MS=600000") as serve:
            assert serve.post(message(1, "drained")).status_code == 200
            assert serve.stop()[0] == 0

    async def drain(*options: str) -> int:
        return await asyncio.to_thread(main, ["drain", "--redis-url", server.url, "--processor-url", url, *options])

    await asyncio.to_thread(served_and_stopped)
    assert await drain() == 0
    await processor.stop()
    assert ("bot", "drained", "m1") in processor.effects
    assert "0 conversations are left" in capsys.readouterr().out
    assert await drain("--strategy", "lock") == 2
    assert "can not be drained" in capsys.readouterr().err


def test_a_message_that_nobody_knows_is_one_line(server: EmbeddedServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["track", "never-seen", "--redis-url", server.url]) == 2
    assert "never-seen" in capsys.readouterr().err


async def test_a_thousand_messages_of_one_person_let_others_through(server: EmbeddedServer) -> None:
    """The last comer of a thousand waits for its own kind; somebody else's message does not."""
    settings = Settings.fixed(None, {"REDIS_URL": server.url, "ENABLE_BUFFER_MONITORING": False})
    app = create_production_app(load_strategy("lease"), settings)
    answered: list[str] = []
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service", timeout=None) as client:

            async def post(number: int, person: str) -> None:
                response = await client.post("/webhook", json=message(number, person))
                assert response.status_code == 200
                answered.append(person)

            await asyncio.gather(*(post(n, "flood") for n in range(1_000)), *(post(n, f"calm-{n}") for n in range(20)))
    last_calm = max(index for index, person in enumerate(answered) if person.startswith("calm"))
    assert answered[: last_calm + 1].count("flood") < 500
