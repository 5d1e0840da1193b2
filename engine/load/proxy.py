"""A loopback proxy in front of a server, whose connections can be cut at any moment: between a request and its reply too."""

import asyncio
import random


class Proxy:
    """Passes bytes between clients and one server."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._pairs: set[tuple[_End, _End]] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port of the same address."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Front(self), self._host, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self, rng: random.Random, share: float) -> int:
        """Cut about this share of the connections; returns how many."""
        chosen = [pair for pair in sorted(self._pairs, key=lambda pair: pair[0].number) if rng.random() < share]
        for front, back in chosen:
            front.abort()
            back.abort()
        return len(chosen)

    async def stop(self) -> None:
        """Cut all and stop."""
        if self._server is not None:
            self._server.close()
        for front, back in list(self._pairs):
            front.abort()
            back.abort()

    async def _connect(self, front: "_End") -> None:
        back = _End(self)
        try:
            await asyncio.get_running_loop().create_connection(lambda: back, self._host, self._port)
        except OSError:
            front.abort()
            return
        front.join(back)
        back.join(front)
        self._pairs.add((front, back))
        front.pair = back.pair = (front, back)

    def _ended(self, end: "_End") -> None:
        if end.pair is not None:
            self._pairs.discard(end.pair)


class _End(asyncio.Protocol):
    """One side of a connection. What arrives before the other side stands is kept for it."""

    _numbers = 0

    def __init__(self, proxy: Proxy) -> None:
        _End._numbers += 1
        self.number = _End._numbers
        self.pair: tuple[_End, _End] | None = None
        self._proxy = proxy
        self._transport: asyncio.Transport | None = None
        self._other: _End | None = None
        self._early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._other is None:
            self._early += data
        else:
            self._other.send(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._proxy._ended(self)
        if self._other is not None:
            self._other.abort()

    def join(self, other: "_End") -> None:
        self._other = other
        if self._transport is not None and self._transport.is_closing():
            other.abort()
        elif self._early:
            other.send(bytes(self._early))
            self._early.clear()

    def send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Front(_End):
    """The client's side, which opens the other."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._opening = asyncio.get_running_loop().create_task(self._proxy._connect(self))
