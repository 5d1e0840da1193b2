"""HTTP/1.1 as loads need it, on both sides: keep-alive, `Content-Length`, one exchange at a time on a connection.

An instrument must cost less than what it measures: a general client takes about as long for a call as the service does.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

HEAD_END = b"\r\n\r\n"
Reply = tuple[int, bytes]
#: Answers a call: path, headers (lower case) and body in, status and body out.
Handler = Callable[[str, Mapping[str, str], bytes], Awaitable[Reply]]


class Parser:
    """Takes bytes, gives whole messages: first line, headers (lower case), body."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> tuple[str, dict[str, str], bytes] | None:
        """Add what arrived; a message if one is complete. Raises `ValueError` for a body without a length."""
        self._buffer += data
        end = self._buffer.find(HEAD_END)
        if end < 0:
            return None
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "transfer-encoding" in headers:
            raise ValueError("a body in chunks is not understood here")
        begin = end + len(HEAD_END)
        length = int(headers.get("content-length", "0"))
        if len(self._buffer) < begin + length:
            return None
        body = bytes(self._buffer[begin : begin + length])
        del self._buffer[: begin + length]
        return first, headers, body


class _Connection(asyncio.Protocol):
    """The client's end of one connection."""

    def __init__(self) -> None:
        self._parser = Parser()
        self._answer: asyncio.Future[Reply] | None = None
        self._transport: asyncio.Transport | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        found = self._parser.feed(data)
        if found is None:
            return
        first, headers, body = found
        if headers.get("connection", "").lower() == "close":
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((int(first.split(" ")[1]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the connection was closed"))

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    async def exchange(self, request: bytes) -> Reply:
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer


class Client:
    """Calls to one address over as many connections as there are calls at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        #: The longest idle first, so that all connections, and the processes behind them, get their share.
        self._idle: deque[_Connection] = deque()

    async def post(self, path: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float) -> Reply:
        """One call. Raises `OSError` or `TimeoutError` if there is no answer."""
        lines = [f"POST {path} HTTP/1.1", f"host: {self._host}:{self._port}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join(lines).encode("latin-1") + HEAD_END + body
        async with asyncio.timeout(timeout_seconds):
            connection = self._taken() or await self._opened()
            try:
                reply = await connection.exchange(request)
            except BaseException:
                connection.close()
                raise
        if not connection.closed:
            self._idle.append(connection)
        return reply

    def _taken(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.popleft()
            if not connection.closed:
                return connection
        return None

    async def _opened(self) -> _Connection:
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, self._host, self._port)
        return connection

    def close(self) -> None:
        """Close what is idle."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()


class _Served(asyncio.Protocol):
    """The server's end of one connection."""

    def __init__(self, handler: Handler, tasks: set["asyncio.Task[None]"], opened: set[asyncio.Transport]) -> None:
        self._handler = handler
        self._tasks = tasks
        self._open = opened
        self._parser = Parser()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        found = self._parser.feed(data)
        if found is not None:
            first, headers, body = found
            task = asyncio.get_running_loop().create_task(self._answer(first.split(" ")[1], headers, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        # The caller may be gone by then: the work is done all the same.
        status, answer = await self._handler(path, headers, body)
        assert self._transport is not None
        if not self._transport.is_closing():
            head = f"HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
            self._transport.write(head.encode("ascii") + answer)


class HttpServer:
    """Answers calls on a free loopback port."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, host: str) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Served(self._handler, self._tasks, self._open), host, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and end what is at work."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._open):
            connection.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
