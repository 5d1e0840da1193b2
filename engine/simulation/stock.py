"""What is dear to make for each function and the same each time: its Redis client, its HTTP client, its ASGI service.

They are real ones. A Redis client is a copy of one that was made once; an HTTP client and a service are lent to one
function after another: what an `Outfit` holds of a function is exchanged, and nothing else of it can change.
"""

import asyncio
import copy
import functools
from typing import Any, cast

import httpx
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.client import CaseInsensitiveDict

from engine.buffer.function import Function
from engine.buffer.service import create_app
from engine.buffer.settings import Settings
from engine.simulation.http import Network, SimTransport
from engine.simulation.loop import REDIS_HOST, SimLoop
from engine.simulation.process import Process


class ClientConnection(redis.asyncio.Connection):
    """redis-py's own connection. When a run is over it is dropped where it stands: there is nothing to release."""

    def __del__(self, *_: object) -> None:
        """Nothing: redis-py would warn of a connection that was not closed."""


class _Retry(Retry):
    """redis-py deep-copies it for every connection: this one says what there is to copy, for a tenth of the price."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Retry:
        return _Retry(self._backoff, self._retries, self._supported_errors)


def redis_client() -> "redis.asyncio.Redis":
    """The client that a strategy gets: bytes, a time-out of 5 s, no retries, no handshake (RESP2, no library name)."""
    client = copy.copy(_template())
    client.connection_pool = _connection_pool()
    for name, value in vars(client).items():
        if isinstance(value, asyncio.Lock):
            setattr(client, name, asyncio.Lock())
    # Its table of response callbacks is most of the work of making a client; a strategy may change its own.
    client.response_callbacks = CaseInsensitiveDict({})
    dict.update(client.response_callbacks, _template().response_callbacks)
    return client


@functools.cache
def _template() -> "redis.asyncio.Redis":
    return redis.asyncio.Redis(connection_pool=_connection_pool())


def _connection_pool() -> redis.asyncio.ConnectionPool:
    return redis.asyncio.ConnectionPool(
        connection_class=ClientConnection,
        host=REDIS_HOST,
        socket_timeout=5,
        socket_connect_timeout=5,
        retry=_Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,
    )


class Outfit:
    """An HTTP client and a service, without the function that uses them for now."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._transport = SimTransport()
        self.http = httpx.AsyncClient(transport=self._transport, timeout=None, trust_env=False)
        self._seat = _Seat()
        self.app = create_app(cast("Function", self._seat), settings)

    def connect(self, network: Network, loop: SimLoop, process: Process) -> None:
        """The HTTP client is this function's now."""
        self._transport.connect(network, loop, process)

    def serve(self, function: Function) -> None:
        """The service is this function's now."""
        self._seat.function = function

    def clear(self) -> None:
        """They are nobody's."""
        self._transport.disconnect()
        self._seat.function = None


class _Seat:
    """Stands where the service expects its function."""

    function: Function | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)


class Stock:
    """The outfits of a process. What a run that failed has borrowed does not come back."""

    def __init__(self) -> None:
        self._outfits: dict[int, list[Outfit]] = {}

    def lend(self, settings: Settings) -> Outfit:
        """One for a function with these settings."""
        waiting = self._outfits.get(id(settings))
        outfit = waiting.pop() if waiting else None
        return outfit if outfit is not None and outfit.settings is settings else Outfit(settings)

    def take_back(self, outfits: list[Outfit]) -> None:
        """A run is over, and its coroutines are closed."""
        for outfit in outfits:
            outfit.clear()
            if len(self._outfits) >= _SETTINGS_MAX:
                self._outfits.clear()
            waiting = self._outfits.setdefault(id(outfit.settings), [])
            if len(waiting) < _OUTFITS_MAX:
                waiting.append(outfit)


_SETTINGS_MAX, _OUTFITS_MAX = 20, 50
