"""The real world for one function: a Redis server, HTTP, the clock, the operating system's entropy."""

import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

import httpx
from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.buffer.errors import UsageError
from engine.buffer.function import Function
from engine.buffer.model import Conversation, Delivery, Message
from engine.buffer.monitoring import Monitoring
from engine.buffer.runtime import Recorder, Runtime
from engine.buffer.service import answer, authorized, create_app
from engine.buffer.settings import Settings
from engine.buffer.strategy import Strategy

_log = logging.getLogger("bufferproof")

REDIS_TIMEOUT_SECONDS = 5
#: What a URL's scheme ends with if it leads to a Redis Cluster.
CLUSTER = "+cluster"


def create_production_app(strategy: type[Strategy], settings: Settings, *, runs_cleanup: bool = True) -> Starlette:
    """The service of one live function, with its periodic work while it runs.

    `runs_cleanup` is for one of several functions on one Redis. Raises `UsageError` for an address that is none.
    """
    check_addresses(settings)
    redis = connect(settings.redis_url)
    http = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None, max_keepalive_connections=100))
    monitoring = Monitoring(enabled=settings.enable_buffer_monitoring, monotonic=time.monotonic)
    entropy = random.Random()  # seeded by the operating system
    runtime = Runtime(
        name=f"f-{entropy.getrandbits(32):08x}",  # its calls carry it, so it differs from every other process's
        settings=settings,
        redis=redis,
        http=http,
        clock=lambda: datetime.now(UTC),
        random=entropy,
        record=monitoring,
    )
    function = ObservedFunction(strategy(runtime), runtime, monitoring, runs_cleanup=runs_cleanup)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        function.start_periodic()
        _log.info('{"event": "service.started"}')
        try:
            yield
        finally:  # the server has answered its last call by now
            await runtime.stop_tasks()
            await http.aclose()
            await redis.aclose()

    return create_app(function, settings, lifespan=lifespan, routes=_monitoring_routes(monitoring, settings))


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
    """A function that tells its recorder of the calls it gets, as a simulation's network does."""

    def __init__(self, strategy: Strategy, runtime: Runtime, record: Recorder, *, runs_cleanup: bool = False) -> None:
        super().__init__(strategy, runtime, record, runs_cleanup=runs_cleanup)
        self._observe = record
        self._arrivals = 0

    async def receive(self, message: Message) -> int:
        """A webhook call, with its arrival and its answer recorded."""
        call = self._next_arrival("w")
        self._observe("webhook.arrived", call=call, conversation=message.conversation, messages=[message])
        status = 503  # what the service answers if the call below raises
        try:
            status = await super().receive(message)
        finally:
            self._observe("webhook.answered", call=call, status=status)
        return status

    async def deliver(self, conversation: Conversation) -> tuple[int, Delivery]:
        """A delivery call, with its arrival and its answer recorded."""
        call = self._next_arrival("a")
        self._observe("delivery.arrived", call=call, conversation=conversation)
        status, delivery = await super().deliver(conversation)
        self._observe("delivery.answered", call=call, status=status, processed=delivery.processed)
        return status, delivery

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


def _monitoring_routes(monitoring: Monitoring, settings: Settings) -> list[Route]:
    """What the monitoring knows, for those who have the service key; nothing while it is switched off."""
    if not settings.enable_buffer_monitoring:
        return []

    async def metrics(request: Request) -> Response:
        if not authorized(request, settings.service_key):
            return answer(401, success=False, error="send the service key as Authorization: Bearer")
        return Response(monitoring.exposition(), media_type="text/plain; version=0.0.4")

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
