"""The real world for one function: a Redis server, HTTP, the clock, the operating system's entropy."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, cast

import httpx
from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.buffer.errors import UsageError
from engine.buffer.function import Function
from engine.buffer.model import Conversation, Delivery, Message, Receipt
from engine.buffer.monitoring import Monitoring
from engine.buffer.runtime import Recorder, Runtime
from engine.buffer.service import answer, authorized, create_app
from engine.buffer.settings import Settings
from engine.buffer.strategy import Strategy
from engine.buffer.tracking import Tracking

_log = logging.getLogger("bufferproof")

REDIS_TIMEOUT_SECONDS = 5
#: What a URL's scheme ends with if it leads to a Redis Cluster.
CLUSTER = "+cluster"


def create_production_app(strategy: type[Strategy], settings: Settings, *, runs_cleanup: bool = True) -> Starlette:
    """The service of one live function, with its periodic work while it runs.

    `runs_cleanup` is for one of several functions on one Redis. Raises `UsageError` for an address that is none.
    """
    check_addresses(settings)
    redis = connect(settings.redis_url, connections_max=settings.redis_connections_max)
    http = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None, max_keepalive_connections=100))
    entropy = random.Random()  # seeded by the operating system
    name = f"f-{entropy.getrandbits(32):08x}"  # its calls carry it, so it differs from every other process's
    tracking = Tracking(redis, name, wall_clock, settings.track_ttl_seconds)
    enabled = settings.enable_buffer_monitoring
    monitoring = Monitoring(enabled=enabled, monotonic=time.monotonic, tracking=tracking if enabled else None)
    runtime = Runtime(
        name=name,
        settings=settings,
        redis=_observed(redis, monitoring),
        http=http,
        clock=wall_clock,
        random=entropy,
        record=monitoring,
    )
    function = ObservedFunction(strategy(runtime), runtime, monitoring, runs_cleanup=runs_cleanup)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        function.start_periodic()
        if enabled:
            runtime.start(tracking.run())
        _log.info('{"event": "service.started"}')
        try:
            yield
        finally:  # the server has answered its last call by now, or cancelled it
            await function.stop()
            await tracking.flush()
            await http.aclose()
            await redis.aclose()
            _log.info('{"event": "service.stopped"}')

    routes = _monitoring_routes(function, monitoring, settings)
    return create_app(function, settings, lifespan=lifespan, routes=routes, record=monitoring)


def wall_clock() -> datetime:
    """This machine's time, in UTC."""
    return datetime.now(UTC)


def _observed(redis: "Redis", record: Recorder) -> "Redis":
    """The same client, whose failed commands are counted."""
    execute: Callable[..., Awaitable[Any]] = redis.execute_command

    async def execute_command(*args: Any, **options: Any) -> Any:
        try:
            return await execute(*args, **options)
        except NoScriptError:
            raise  # how a script is found missing, and then sent
        except RedisError as error:
            record("redis.failed", error=type(error).__name__)
            raise

    redis.execute_command = execute_command  # type: ignore[method-assign]
    return redis


def connect(url: str, *, connections_max: int = 64) -> "Redis":
    """A client as every strategy gets it: replies are bytes, time-out 5 s, no retries. Raises `UsageError` for a bad URL.

    A command waits for one of `connections_max` connections, first come first served. `redis+cluster://` and
    `rediss+cluster://` lead to a Redis Cluster, by any one of its nodes.
    """
    options: dict[str, Any] = {
        "socket_timeout": REDIS_TIMEOUT_SECONDS,
        "socket_connect_timeout": REDIS_TIMEOUT_SECONDS,
        "retry": Retry(NoBackoff(), 0),  # the client's own retries would run a script twice
        "protocol": 2,
        "decode_responses": False,
        "driver_info": None,  # its name is two commands more for each connection
    }
    scheme, separator, rest = url.partition("://")
    try:
        if not scheme.endswith(CLUSTER):
            waiting = {"max_connections": connections_max, "timeout": REDIS_TIMEOUT_SECONDS}
            return Redis.from_pool(BlockingConnectionPool.from_url(url, **waiting, **options))
        # It has all that a strategy uses; a moved slot is no retry: the node that refused has executed nothing.
        del options["driver_info"]
        return cast("Redis", RedisCluster.from_url(scheme.removesuffix(CLUSTER) + separator + rest, **options))
    except ValueError as error:
        raise UsageError(f"REDIS_URL is refused: {' '.join(str(error).split())}") from None


class ObservedFunction(Function):
    """A function that tells its recorder of the calls it gets, as a simulation's network does, and stops gracefully.

    One person's calls are worked on a few at a time (CALLS_AT_ONCE_PER_PERSON), in their order: a burst of a thousand
    leaves room for the others.
    """

    def __init__(self, strategy: Strategy, runtime: Runtime, record: Recorder, *, runs_cleanup: bool = False) -> None:
        super().__init__(strategy, runtime, self._told, runs_cleanup=runs_cleanup)
        self._observe = record
        self._arrivals = 0
        #: Why the call of this task failed, so that its one line says it.
        self._why: ContextVar[str | None] = ContextVar("why", default=None)
        self._turns: dict[Conversation, tuple[asyncio.Semaphore, int]] = {}
        self._delivering: set[asyncio.Task[Any]] = set()

    def _told(self, event: str, **fields: Any) -> None:
        if event in ("receive.failed", "deliver.failed"):
            self._why.set(fields["error"])
        else:
            self._observe(event, **fields)

    async def receive(self, message: Message) -> int:
        """A webhook call, with its arrival and its answer recorded."""
        call = self._next_arrival("w")
        self._observe("webhook.arrived", call=call, conversation=message.conversation, messages=[message])
        status = 503  # what the service answers if the call below raises
        self._why.set(None)
        try:
            async with self._turn(message.conversation):
                status = await super().receive(message)
        finally:
            self._observe("webhook.answered", call=call, status=status, **self._reason())
        return status

    async def settle(self, message: Message, receipt: Receipt) -> int:
        """What follows from a receipt; a recognised repeat is recorded."""
        if receipt.repeated:
            self._observe("webhook.repeated", conversation=message.conversation, messages=[message])
        return await super().settle(message, receipt)

    async def deliver(self, conversation: Conversation) -> tuple[int, Delivery]:
        """A delivery call, with its arrival and its answer recorded."""
        call = self._next_arrival("a")
        self._observe("delivery.arrived", call=call, conversation=conversation)
        task = asyncio.current_task()
        assert task is not None
        self._delivering.add(task)
        self._why.set(None)
        try:
            status, delivery = await super().deliver(conversation)
        finally:
            self._delivering.discard(task)
        self._observe("delivery.answered", call=call, status=status, processed=delivery.processed, **self._reason())
        return status, delivery

    async def stop(self) -> None:
        """End the background tasks, and what was cancelled in the middle of a delivery: it gives back what it claimed."""
        await self.runtime.stop_tasks()
        for task in list(self._delivering):
            if not task.cancelling():  # the server has done it already where its time was over
                task.cancel()
        if self._delivering:
            await asyncio.wait(list(self._delivering), timeout=REDIS_TIMEOUT_SECONDS)

    def _reason(self) -> dict[str, str]:
        why = self._why.get()
        return {} if why is None else {"error": why}

    @asynccontextmanager
    async def _turn(self, conversation: Conversation) -> AsyncIterator[None]:
        limit = self.runtime.settings.calls_at_once_per_person
        semaphore, waiting = self._turns.get(conversation) or (asyncio.Semaphore(limit), 0)
        self._turns[conversation] = semaphore, waiting + 1
        try:
            async with semaphore:
                yield
        finally:
            semaphore, waiting = self._turns[conversation]
            if waiting == 1:
                del self._turns[conversation]
            else:
                self._turns[conversation] = semaphore, waiting - 1

    def _next_arrival(self, kind: str) -> str:
        self._arrivals += 1
        return f"{self.runtime.name}-{kind}{self._arrivals}"


def check_addresses(settings: Settings) -> None:
    """Raise `UsageError` for an address to call that is none."""
    for name, url in (("BASE_URL", settings.base_url), ("PROCESSOR_URL", settings.processor_url)):
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            parsed = httpx.URL("")
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise UsageError(f"{name}={url!r} is refused: give a full address such as http://localhost:9000/process")


def _monitoring_routes(function: Function, monitoring: Monitoring, settings: Settings) -> list[Route]:
    """What the monitoring knows, for those who have the service key; nothing while it is switched off."""
    if not settings.enable_buffer_monitoring:
        return []

    async def metrics(request: Request) -> Response:
        if not authorized(request, settings.service_key):
            return answer(401, success=False, error="send the service key as Authorization: Bearer")
        backlog = None
        with suppress(Exception):  # a scrape tells what it can: the counts matter most while Redis is away
            backlog = await function.strategy.backlog()
        return Response(monitoring.exposition(backlog), media_type="text/plain; version=0.0.4")

    async def where(request: Request) -> Response:
        if not authorized(request, settings.service_key):
            return answer(401, success=False, error="send the service key as Authorization: Bearer")
        names = [request.query_params.get(name) for name in ("instance_name", "user_phone", "message_id")]
        instance, phone, message_id = names
        if instance is None or phone is None or message_id is None:
            return answer(400, success=False, error="give instance_name, user_phone and message_id")
        stage = monitoring.where_is(Conversation(instance_name=instance, user_phone=phone), message_id)
        return answer(200 if stage else 404, success=stage is not None, stage=stage)

    return [Route("/metrics", metrics, methods=["GET"]), Route("/messages", where, methods=["GET"])]
