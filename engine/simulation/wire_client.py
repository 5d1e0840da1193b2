"""A blocking client of a real server, on the level of bytes: what was sent is the client library's, what comes back is raw."""

from typing import Any, cast

import redis
from redis.connection import ConnectionPool
from redis.exceptions import RedisError

from engine.buffer.errors import UsageError

TIMEOUT_SECONDS = 30
Value = bytes | int | None | list["Value"] | Exception


class WireClient:
    """One connection. `ask` sends commands and gives their replies, each as its value and its bytes."""

    def __init__(self, url: str) -> None:
        """Connect. Raises `UsageError` if that URL leads to no server that lets us in."""
        try:
            pool = ConnectionPool.from_url(
                url, protocol=2, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=5, retry_on_timeout=False
            )
            self._connection = cast("Any", pool.make_connection())
            self._connection.connect()
        except (RedisError, OSError, ValueError) as error:
            raise UsageError(f"no Redis server answers at {shown(url)}: {' '.join(str(error).split())}") from None
        # The client library reads the URL, shakes hands and does TLS; from here on bytes go as they are.
        self._socket = self._connection._sock
        self._buffer = b""

    def ask(self, *commands: list[bytes]) -> list[tuple[Value, bytes]]:
        """Send these commands in one write, and wait for all their replies."""
        self._socket.sendall(b"".join(pack(args) for args in commands))
        return [self.read() for _ in commands]

    def value(self, *args: bytes | str | int) -> Value:
        """One command's reply. Raises `UsageError` if it is an error: these commands are our own."""
        reply = self.ask([arg if isinstance(arg, bytes) else str(arg).encode() for arg in args])[0][0]
        if isinstance(reply, Exception):
            raise UsageError(f"the server refuses {args[0]!s}: {reply}: give one that this user may use fully")
        return reply

    def read(self) -> tuple[Value, bytes]:
        """The next reply. Raises `UsageError` if the server has gone."""
        while True:
            try:
                value, end = parse(self._buffer, 0)
            except Incomplete:
                try:
                    more = self._socket.recv(65536)
                except OSError as error:
                    raise UsageError(f"the Redis server does not answer any more: {error}") from None
                if not more:
                    raise UsageError("the Redis server has closed the connection") from None
                self._buffer += more
            else:
                raw, self._buffer = self._buffer[:end], self._buffer[end:]
                return value, raw

    def close(self) -> None:
        """Hang up."""
        self._connection.disconnect()


class Incomplete(Exception):
    """A reply whose end has not come yet."""


def parse(data: bytes, position: int) -> tuple[Value, int]:
    """The RESP2 reply that begins there, and where it ends. Raises `Incomplete`."""
    line_end = data.find(b"\r\n", position)
    if line_end < 0:
        raise Incomplete
    kind, line, end = data[position : position + 1], data[position + 1 : line_end], line_end + 2
    if kind == b"+":
        return line, end
    if kind == b"-":
        return redis.ResponseError(line.decode("utf-8", "replace")), end
    count = int(line)
    if kind == b":":
        return count, end
    if count < 0:
        return None, end
    if kind == b"$":
        if end + count + 2 > len(data):
            raise Incomplete
        return data[end : end + count], end + count + 2
    items: list[Value] = []
    for _ in range(count):
        item, end = parse(data, end)
        items.append(item)
    return items, end


def elements(raw: bytes) -> list[bytes]:
    """The bytes of each element of an array reply."""
    count, end = int(raw[1 : raw.find(b"\r\n")]), raw.find(b"\r\n") + 2
    found = []
    for _ in range(count):
        _, after = parse(raw, end)
        found.append(raw[end:after])
        end = after
    return found


def pack(args: list[bytes]) -> bytes:
    """A command as RESP."""
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(arg), arg) for arg in args)


def shown(url: str) -> str:
    """A URL without what stands before an @: it may hold a password."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
