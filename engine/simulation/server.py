"""The Redis of the simulation: fakeredis with Lua, its clock under the simulation, one command after the other.

For every command it says which keys were *really* read and written, through `redis.call` too.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import redis as redis_py
from fakeredis._clients._tcp_server import encode_reply
from fakeredis._core import Database, FakeServer
from fakeredis._helpers import NoResponse
from fakeredis._socket import FakeSocket
from fakeredis.model import ExpiringMembersSet

from engine.simulation.process import EPOCH_MS

#: In place of a key, for commands whose answer depends on which keys there are (KEYS, SCAN, RANDOMKEY).
ANY_KEY = b"*"
#: Types as Redis calls them, where fakeredis' class is called otherwise.
_TYPES = {"bytes": "string", "expiringmembersset": "set", "xstream": "stream"}


class SimDatabase(Database):
    """Notes which keys are really read and written, and expires in whole milliseconds.

    A key is there at exactly its end and gone one millisecond later. fakeredis adds seconds as floats, whose rounding
    would decide what happens at the very instant. All that a command does, through `redis.call` too, comes by here.
    """

    def __init__(self, lock: threading.Lock) -> None:
        super().__init__(lock)
        self.reads: dict[bytes, None] = {}
        self.writes: dict[bytes, None] = {}

    def __getitem__(self, key: bytes) -> Any:
        self.reads[key] = None
        return super().__getitem__(key)

    def __setitem__(self, key: bytes, value: Any) -> None:
        self.writes[key] = None
        super().__setitem__(key, value)

    def __delitem__(self, key: bytes) -> None:
        self.writes[key] = None
        super().__delitem__(key)

    def __iter__(self) -> Iterator[bytes]:
        self.reads[ANY_KEY] = None
        return super().__iter__()

    def __len__(self) -> int:
        self.reads[ANY_KEY] = None
        return super().__len__()

    def random_key(self) -> bytes | None:
        """A random key; which one depends on all."""
        self.reads[ANY_KEY] = None
        return super().random_key()

    def notify_watch(self, key: bytes) -> None:
        """A key changes: whoever watches it must know."""
        self.writes[key] = None
        super().notify_watch(key)

    def drop(self, key: bytes) -> None:
        """A key goes by itself: its time is over, or it is evicted. Who watches it must know."""
        for session in self._watches.get(key, ()):
            session.notify_watch()
        del self._dict[key]

    def expired(self, item: Any) -> bool:
        """Whether the item's end has passed."""
        return item.expireat is not None and round(item.expireat * 1000) < round(self.time * 1000)

    def _remove_expired(self) -> None:
        for key in [key for key, item in self._dict.items() if self.expired(item)]:
            del self._dict[key]


def _members_in_order(self: ExpiringMembersSet) -> Iterator[bytes]:
    # fakeredis walks a set of its own making, whose order differs with PYTHONHASHSEED; this one is insertion order.
    self._expire_members()
    return iter(list(self._values))


ExpiringMembersSet.__iter__ = _members_in_order  # type: ignore[method-assign]


class SimSocket(FakeSocket):
    """One client's session on the server."""

    def __init__(self, server: FakeServer) -> None:
        super().__init__(server, 0, None, redis_py.Redis, client_info={})
        self.replies: list[Any] = []
        self.blocked_for: float | None = None  # seconds, 0: without end; None: not blocked

    def put_response(self, msg: Any) -> None:
        """Keep a reply until the network takes it."""
        self.replies.append(msg)

    def recover(self, why: str) -> None:
        """Answer with an error after a failure within fakeredis, which ends its parser."""
        self._parser = self._parse_commands()
        self._parser.send(None)
        self.replies[:] = [redis_py.ResponseError(why)]

    def setex(self, key: Any, seconds: int, value: bytes) -> Any:
        """SETEX to the millisecond: fakeredis cuts the end to a whole second, so that keys go up to 999 ms too early."""
        done = super().setex(key, seconds, value)
        key.expireat = self._db.time + seconds
        return done

    def psetex(self, key: Any, ms: int, value: bytes) -> Any:
        """PSETEX likewise: under a second, its keys would be gone at once."""
        done = super().psetex(key, ms, value)
        key.expireat = self._db.time + ms / 1000
        return done

    def _blocking(self, timeout: float | None, func: Any, shape: Any = None) -> Any:
        # A blocked client would need a thread. The network parks it instead, and gives the command again when a key
        # has changed, until its time is over.
        result = func(True)
        if result is None and not self._in_transaction:
            self.blocked_for = timeout or 0.0
            return NoResponse()
        return result if shape is None else shape(result)


class Executed:
    """What one command did. `blocked_for` (seconds, 0: without end) if it found nothing and waits."""

    __slots__ = ("blocked_for", "error", "reads", "reply", "result", "writes")

    def __init__(
        self, result: Any, reply: bytes, reads: list[str], writes: list[str], blocked_for: float | None
    ) -> None:
        self.result = result
        self.reply = reply
        self.reads = reads
        self.writes = writes
        self.blocked_for = blocked_for
        self.error = text(reply[1:].strip()) if isinstance(result, Exception) else None


class RedisServer:
    """One server. `reachable` is the network's side of it."""

    def __init__(self, pool: "ServerPool") -> None:
        self._fake = pool.take()
        self.reachable = True
        self.commands = 0

    @property
    def database(self) -> SimDatabase:
        """Database 0."""
        database = self._fake.dbs[0]
        assert isinstance(database, SimDatabase)
        return database

    def open_session(self) -> SimSocket:
        """A new client's session."""
        return SimSocket(self._fake)

    def close_session(self, session: SimSocket) -> None:
        """A client has gone: what it watched is dropped."""
        session._clear_watches()

    def execute(self, session: SimSocket, request: bytes) -> Executed:
        """Execute one command, atomically."""
        self.commands += 1
        database = self.database
        session.replies.clear()
        session.blocked_for = None
        database.reads.clear()
        database.writes.clear()
        try:
            session.sendall(request)
        except Exception as error:
            # fakeredis itself failed, as its cjson does on integers beyond 64 bits: the client sees an error.
            session.recover(f"the simulated server could not do this: {type(error).__name__}: {error}")
        if session.replies:
            result = session.replies[0]
            reply = encode_reply(result, 2) if not isinstance(result, bytes) else _bulk_or_status(result)
        else:
            result, reply = None, b"$-1\r\n"
        reads = [text(key) for key in database.reads if key not in database.writes]
        return Executed(result, reply, reads, [text(key) for key in database.writes], session.blocked_for)

    def flush_scripts(self) -> None:
        """Forget all cached scripts: `NOSCRIPT` on the next EVALSHA."""
        self._fake.script_cache.clear()

    def script_name(self, source_or_sha: bytes) -> str:
        """A script's name: the first word of its header comment, or the start of its digest."""
        source = self._fake.script_cache.get(source_or_sha.lower(), source_or_sha)
        header = text(source.split(b"\n", 1)[0])
        if header.startswith("--"):
            words = header.lstrip("- ").replace(":", " ").split()
            if words:
                return words[0]
        return text(source_or_sha[:8])

    def lose_data(self) -> None:
        """Restart empty."""
        self.database._dict.clear()  # no session is left to be told

    def evict(self, key: bytes) -> None:
        """A key disappears before its end."""
        self.database.drop(key)

    def ttl_ends_ms(self) -> Iterator[int]:
        """When each key's TTL ends, in virtual milliseconds."""
        for item in self.database._dict.values():
            if item.expireat is not None:
                yield round(item.expireat * 1000) - EPOCH_MS

    def keys(self) -> dict[str, tuple[str, int | None]]:
        """Every key that is there: its type, and when its TTL ends (virtual ms, None: never)."""
        found = {}
        for key, item in sorted(self.database._dict.items()):
            name = type(item.value).__name__.lower()
            end_ms = None if item.expireat is None else round(item.expireat * 1000) - EPOCH_MS
            found[text(key)] = (_TYPES.get(name, name), end_ms)
        return found

    def expire(self, now_ms: int) -> list[str]:
        """Drop the keys whose end has passed; say which."""
        gone = [
            key
            for key, item in self.database._dict.items()
            if item.expireat is not None and round(item.expireat * 1000) - EPOCH_MS < now_ms
        ]
        for key in gone:
            self.database.drop(key)
        return [text(key) for key in gone]


class ServerPool:
    """One fakeredis server a process of ours, emptied between runs: its Lua interpreter is dear to make."""

    def __init__(self) -> None:
        self._server: FakeServer | None = None

    def take(self) -> FakeServer:
        """An empty server."""
        if self._server is None:
            self._server = FakeServer(version=(7, 2), server_type="redis")
            _let_lua_be_stopped(self._server)
        server = self._server
        lock = threading.Lock()  # a new one: a run that a bound ended may have left the last one locked
        server.lock = lock
        server.dbs = defaultdict(lambda: SimDatabase(lock))
        server.script_cache.clear()
        server.sockets.clear()
        server.closed_sockets.clear()
        server.scan_cursors.clear()
        server._next_client_id = 1
        return server


def _let_lua_be_stopped(server: FakeServer) -> None:
    """Come back to Python now and then, so that the bound on CPU time also stops a script that never ends."""
    lua = SimSocket(server)._get_server_runtime(server)
    set_hook = lua.eval("function(breathe, instructions) debug.sethook(function() breathe() end, '', instructions) end")
    set_hook(lambda: None, 1_000_000)


def _bulk_or_status(value: bytes) -> bytes:
    # The encoder writes every top-level string as a status line; clients read both forms as the same bytes, but a
    # payload is a bulk string on a real server.
    if value in (b"OK", b"PONG", b"QUEUED"):
        return b"+" + value + b"\r\n"
    return b"$%d\r\n%s\r\n" % (len(value), value)


def text(key: bytes) -> str:
    """A key or an argument as text, whatever bytes it holds."""
    return key.decode("utf-8", "backslashreplace")
