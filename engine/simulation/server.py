"""The Redis of the simulation: fakeredis with Lua, its clock under the simulation, one command after the other.

For every command it says which keys were *really* read and written, through `redis.call` too.
"""

import functools
import hashlib
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from heapq import heappop
from typing import Any

import redis as redis_py
from fakeredis._clients._tcp_server import encode_reply
from fakeredis._core import Database, FakeServer
from fakeredis._helpers import compile_pattern
from fakeredis.model import ClientInfo, ExpiringMembersSet, Hash, _acl

from engine.buffer.scripts import Script
from engine.simulation.lua import Lua, install
from engine.simulation.process import EPOCH_MS
from engine.simulation.session import SimSocket

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

    def get(self, key: bytes, default: Any = None) -> Any:
        """As of any mapping, without an exception for a key that is not there."""
        self.reads[key] = None
        item = self._dict.get(key)
        if item is None:
            return default
        if (item.expireat is not None and self.expired(item)) or _emptied(item):
            del self._dict[key]
            return default
        return item

    def __contains__(self, key: object) -> bool:
        """As of any mapping, likewise."""
        return self.get(key) is not None  # type: ignore[arg-type]  # keys are bytes

    def __setitem__(self, key: bytes, value: Any) -> None:
        self.writes[key] = None
        super().__setitem__(key, value)

    def __delitem__(self, key: bytes) -> None:
        self.writes[key] = None
        super().__delitem__(key)

    def __iter__(self) -> Iterator[bytes]:
        # Sorted: a server's order has nothing to do with the order in which keys were made, so no design may see that one.
        self.reads[ANY_KEY] = None
        return iter(sorted(key for key in super().__iter__() if not _emptied(self._dict[key])))

    def __len__(self) -> int:
        self.reads[ANY_KEY] = None
        return super().__len__()

    def random_key(self) -> bytes | None:
        """A random key; which one depends on all."""
        self.reads[ANY_KEY] = None
        return super().random_key()

    def notify_watch(self, key: bytes) -> None:
        """A key changes: whoever watches it must know. Nobody is blocked within fakeredis, so nobody is woken."""
        self.writes[key] = None
        for session in self._watches.get(key, ()):
            session.notify_watch()

    def drop(self, key: bytes) -> None:
        """A key goes by itself: its time is over, or it is evicted. Who watches it must know."""
        for session in self._watches.get(key, ()):
            session.notify_watch()
        del self._dict[key]

    def expired(self, item: Any) -> bool:
        """Whether the item's end has passed."""
        return item.expireat is not None and round(item.expireat * 1000) < round(self.time * 1000)

    def ended(self, time_ms: int) -> list[bytes]:
        """The keys whose end has passed at a time of the server's clock, in the order in which they were made."""
        heap = self._expiry_heap
        found = set()
        while heap and round(heap[0][0] * 1000) < time_ms:
            _, key = heappop(heap)
            item = self._dict.get(key)
            if item is not None and item.expireat is not None and round(item.expireat * 1000) < time_ms:
                found.add(key)
        return list(found) if len(found) < 2 else [key for key in self._dict if key in found]

    def _remove_expired(self) -> None:
        for key in self.ended(round(self.time * 1000)):
            del self._dict[key]


def _emptied(item: Any) -> bool:
    """Whether an item is a hash of whose fields the last one has ended (`HPEXPIRE`)."""
    return type(item.value) is Hash and not item.value


def _end_ms(item: Any) -> int | None:
    """When an item is gone by itself, by the server's clock: its TTL ends, or that of the last of its fields. None: never."""
    ends = [] if item.expireat is None else [round(item.expireat * 1000)]
    if type(item.value) is Hash and item.value._expirations:
        fields, of_fields = set(item.value), item.value._expirations  # in this order: a look drops what has ended
        if fields and fields <= of_fields.keys():
            ends.append(max(of_fields.values()))
    return min(ends, default=None)


def _members_in_order(self: ExpiringMembersSet) -> Iterator[bytes]:
    # fakeredis walks a set of its own making, whose order differs with PYTHONHASHSEED; this one is insertion order.
    self._expire_members()
    return iter(list(self._values))


ExpiringMembersSet.__iter__ = _members_in_order  # type: ignore[method-assign]

# Each new server reads through the whole table of commands for it, and each run has a new server.
_acl.get_commands_by_category = functools.cache(_acl.get_commands_by_category)  # type: ignore[attr-defined]


class Executed:
    """What one command did. `blocked_for` (seconds, 0: without end) if it found nothing and waits; `again` is then what to try."""

    __slots__ = ("again", "blocked_for", "error", "reads", "reply", "result", "writes")

    def __init__(
        self,
        result: Any,
        reply: bytes,
        reads: list[str],
        writes: list[str],
        blocked_for: float | None,
        again: list[bytes] | None = None,
    ) -> None:
        self.result = result
        self.reply = reply
        self.reads = reads
        self.writes = writes
        self.blocked_for = blocked_for
        self.again = again
        self.error = text(reply[1:].strip()) if isinstance(result, Exception) else None


class RedisServer:
    """One server. `reachable` is the network's side of it."""

    def __init__(self, pool: "ServerPool") -> None:
        self._pool = pool
        self._fake = pool.take()
        database = self._fake.dbs[0]
        assert isinstance(database, SimDatabase)
        self.database = database
        self.reachable = True
        self.commands = 0
        self._opened = 0

    def open_session(self) -> SimSocket:
        """A new client's session."""
        self._opened += 1
        return self._pool.session(self._fake, self._opened)

    def close_session(self, session: SimSocket) -> None:
        """A client has gone: what it watched and subscribed to is dropped."""
        session.push = None
        session._cleanup(self._fake)

    def execute(self, session: SimSocket, args: list[bytes]) -> Executed:
        """Execute one command, atomically."""
        self.commands += 1
        reads, writes = self.database.reads, self.database.writes
        reads.clear()
        writes.clear()
        try:
            result = _in_one_line(session.answer(args))
        except Exception as error:
            # fakeredis itself failed, as its cjson does on integers beyond 64 bits: the client sees an error.
            why = f"the simulated server could not do this: {type(error).__name__}: {error}"
            result = redis_py.ResponseError(why)
            session.replies.clear()
        reply = _bulk_or_status(result) if isinstance(result, bytes) else encode_reply(result, 2)
        for more in session.replies[1:]:  # SUBSCRIBE answers for each channel
            reply += encode_reply(more, 2)
        only_read = [text(key) for key in reads if key not in writes]
        again = session.as_waiting(args) if session.blocked_for is not None else None
        return Executed(result, reply, only_read, [text(key) for key in writes], session.blocked_for, again)

    def flush_scripts(self) -> None:
        """Forget all cached scripts: `NOSCRIPT` on the next EVALSHA."""
        self._fake.script_cache.clear()

    def load_scripts(self, scripts: Iterable[Script]) -> None:
        """Put scripts into the cache, as if they had run before."""
        for script in scripts:
            self._fake.script_cache[script.sha.encode()] = script.source.encode()

    def script_name(self, source_or_sha: bytes) -> str:
        """A script's name: the first word of its header comment, or the start of its digest."""
        source = self._fake.script_cache.get(source_or_sha.lower(), source_or_sha)
        is_digest = source is source_or_sha and re.fullmatch(rb"[0-9a-fA-F]{40}", source_or_sha)
        return _named(source) or (text(source_or_sha) if is_digest else hashlib.sha1(source).hexdigest())[:8]

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
            if type(item.value) is Hash:
                yield from (end_ms - EPOCH_MS for end_ms in item.value._expirations.values())

    def keys(self) -> dict[str, tuple[str, int | None]]:
        """Every key that is there: its type, and when its TTL ends (virtual ms, None: never)."""
        found = {}
        for key, item in sorted(self.database._dict.items()):
            if not _emptied(item):
                name, end_ms = type(item.value).__name__.lower(), _end_ms(item)
                found[text(key)] = (_TYPES.get(name, name), None if end_ms is None else end_ms - EPOCH_MS)
        return found

    def lasting_keys(self) -> Iterator[str]:
        """The keys that have no end."""
        return (text(key) for key, item in self.database._dict.items() if not _emptied(item) and _end_ms(item) is None)

    def may_come_back(self, counters: Collection[str], before_ms: int) -> bool:
        """Whether a key may hold work: all but numbers under these names, and texts that end later than `before_ms` (virtual).

        A claim may have a TTL, so a collection is taken for work, and so is a text that ends soon.
        """
        return any(
            not (key in counters and kind == "string" and self._value(key).removeprefix(b"-").isdigit())
            if end_ms is None
            else kind != "string" or end_ms < before_ms
            for key, (kind, end_ms) in self.keys().items()
        )

    def _value(self, key: str) -> bytes:
        value = self.database.get(key.encode()).value
        return value if isinstance(value, bytes) else b""

    def expire(self, now_ms: int) -> list[str]:
        """Drop the keys whose end has passed; say which."""
        gone = self.database.ended(EPOCH_MS + now_ms)
        for key in gone:
            self.database.drop(key)
        if gone and self.tells_of_ends:
            self._tell_of(gone)
        return [text(key) for key in gone]

    @property
    def tells_of_ends(self) -> bool:
        """Whether somebody hears it at once when a key ends: the server was told to publish it, and there are subscribers."""
        if not (self._fake.subscribers or self._fake.psubscribers):
            return False
        return bool(set(self._fake.config.get(b"notify-keyspace-events", b"")) & set(b"xA"))

    def next_end_ms(self) -> int | None:
        """When the next key ends by its TTL, in virtual milliseconds; None: none does."""
        ends = (item.expireat for item in self.database._dict.values() if item.expireat is not None)
        return min((round(end * 1000) - EPOCH_MS for end in ends), default=None)

    def _tell_of(self, ended: list[bytes]) -> None:
        flags = self._fake.config.get(b"notify-keyspace-events", b"")
        patterns = {pattern: compile_pattern(pattern) for pattern in self._fake.psubscribers}
        teller = self._pool.session(self._fake, 0)
        for key in ended:
            if b"K" in flags:
                teller._publish_to_channel(b"__keyspace@0__:" + key, b"expired", patterns)
            if b"E" in flags:
                teller._publish_to_channel(b"__keyevent@0__:expired", key, patterns)


class ServerPool:
    """An empty fakeredis server for each run, all of a process with one Lua interpreter: that is dear to make.

    So are sessions: each has a queue, an event and a parser for clients that share its process, which nobody uses here.
    """

    def __init__(self) -> None:
        self._lua: Lua | None = None
        self._lua_attributes: dict[str, Any] = {}
        self._session_attributes: dict[str, Any] = {}
        self._session_containers: list[tuple[str, Callable[[], Any]]] = []

    def take(self) -> FakeServer:
        """An empty server."""
        server = FakeServer(version=(7, 2), server_type="redis")
        server.lastsave = EPOCH_MS // 1000
        lock = server.lock
        server.dbs = defaultdict(lambda: SimDatabase(lock))
        if self._lua is None:
            session = SimSocket(server)
            self._lua = install(server, session)
            self._learn(SimSocket(server))
            server.sockets.clear()
            server._next_client_id = 1
            self._lua_attributes = {name: value for name, value in vars(server).items() if name.startswith("_lua_")}
        else:
            self._lua.fresh()
            vars(server).update(self._lua_attributes)
        return server

    def session(self, server: FakeServer, number: int) -> SimSocket:
        """A new session: as `SimSocket` makes it, but that the queue, the event and the parser are everyone's."""
        session = SimSocket.__new__(SimSocket)
        attributes = vars(session)
        attributes.update(self._session_attributes)
        for name, container in self._session_containers:
            attributes[name] = container()
        session.number = number
        session._server, session._db = server, server.dbs[0]
        session._client_info = ClientInfo(id=server.get_next_client_id())
        server.sockets.append(session)
        return session

    def _learn(self, session: SimSocket) -> None:
        """Note what a new session consists of."""
        self._session_attributes = vars(session).copy()
        for name, value in vars(session).items():
            if type(value) in (dict, list, set):
                assert not value, f"a new session has something in {name}"
                self._session_containers.append((name, type(value)))


@functools.lru_cache(maxsize=500)
def _named(source: bytes) -> str:
    header = text(source.split(b"\n", 1)[0])
    words = header.lstrip("- ").replace(":", " ").split() if header.startswith("--") else []
    return words[0] if words else ""


def _in_one_line(result: Any) -> Any:
    """Errors as a server words them: in one line. fakeredis' hold Lua's traceback, which would end the reply early."""
    if isinstance(result, list):
        return [_in_one_line(each) for each in result]
    if isinstance(result, Exception) and "\n" in str(result):
        return type(result)(" ".join(str(result).split()))
    return result


def _bulk_or_status(value: bytes) -> bytes:
    # The encoder writes every top-level string as a status line; clients read both forms as the same bytes, but a
    # payload is a bulk string on a real server.
    if value in (b"OK", b"PONG", b"QUEUED"):
        return b"+" + value + b"\r\n"
    return b"$%d\r\n%s\r\n" % (len(value), value)


def text(key: bytes) -> str:
    """A key or an argument as text, whatever bytes it holds."""
    return key.decode("utf-8", "backslashreplace")
