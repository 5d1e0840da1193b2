"""A real server in the simulation's place of one: every command of a run is executed there, in the run's order.

Strategy, client, network, functions and schedule stay the same; only the executor differs. What is the server's own (Lua,
`cjson`, types, replies, WATCH) is then real. Time stays virtual, for a real server's clock cannot be set:

- *TTLs.* Between two commands no key on the server has one. Before a command each key gets back what is left of its TTL in
  virtual time, after it the TTLs are read and taken away again: all in one MULTI/EXEC, within which a server's clock stands
  still (Redis ≥ 7.2, Valkey). A key whose virtual end has passed is deleted. At the very millisecond of its end a key's
  PTTL reads 1 and not 0, for a TTL of 0 would delete it.
- *TIME.* A script that asks for it (those of `lease`, `fenced_lock` and of the idempotency store; none of the plan's) runs
  with one line in front that answers with the virtual time. All others run byte for byte. `EVALSHA` of a script that the
  server does not know is the server's own NOSCRIPT.
- *Keys.* Written are the keys of which the server notifies (`notify-keyspace-events`); read are the others that a command
  names. A write that changes nothing thus counts as a read.
- *Faults* strike at the connection, as in the simulation: a restart breaks all connections and flushes the scripts.
"""

import hashlib
from collections.abc import Iterable, Iterator

from engine.buffer.errors import UsageError
from engine.buffer.scripts import Script
from engine.simulation.process import EPOCH_MS
from engine.simulation.server import ANY_KEY, Executed, RedisServer, text
from engine.simulation.wire import NULL_ARRAY, declared_keys
from engine.simulation.wire_client import Value, WireClient, elements, pack, shown

MARK = b"bufferproof:mark"
#: Every key with its type and what is left of its TTL, which is then taken away; but for those in ARGV, which are watched.
_FREEZE = b"""local watched, found = {}, {}
for _, key in ipairs(ARGV) do watched[key] = true end
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  table.insert(found, {key, redis.call('TYPE', key).ok, left})
  if left >= 0 and not watched[key] then redis.call('PERSIST', key) end
end
return found"""
#: Answers TIME with what was put behind the script's own arguments: seconds, and microseconds within the second.
_CLOCK = b"""local redis = (function(real)
  local microseconds, seconds = table.remove(ARGV), table.remove(ARGV)
  return setmetatable({call = function(command, ...)
    if string.upper(command) == 'TIME' then return {seconds, microseconds} end
    return real.call(command, ...)
  end}, {__index = real})
end)(redis)
"""
_SCRIPTS = frozenset({b"EVAL", b"EVALSHA", b"EVAL_RO", b"EVALSHA_RO"})
_BLOCKING = frozenset({b"BLPOP", b"BRPOP", b"BZPOPMIN", b"BZPOPMAX", b"BLMOVE", b"BRPOPLPUSH"})
_OF_ALL_KEYS = frozenset({b"KEYS", b"SCAN", b"RANDOMKEY", b"DBSIZE"})


class RealSession:
    """One client's session. It has a connection of its own from its first WATCH on: that state is a connection's."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: WireClient | None = None
        self.queued: list[list[bytes]] | None = None  # since MULTI
        self.watched: set[bytes] = set()

    @property
    def client(self) -> WireClient:
        """Its connection."""
        if self._client is None:
            self._client = WireClient(self._url)
        return self._client

    def close(self) -> None:
        """The client has gone: what it watched is dropped."""
        self.watched.clear()
        if self._client is not None:
            self._client.close()
            self._client = None


class RealServer(RedisServer):
    """A server at a URL, empty at the start and again at the end. Use it for one run, or `reset` it between runs.

    Raises `UsageError` if it is not there, holds keys, or does not let itself be configured.
    """

    def __init__(self, url: str) -> None:
        self.reachable = True
        self.commands = 0
        self._url = url
        self._now_ms = 0
        self._keys: dict[bytes, tuple[str, int | None]] = {}  # type, when its TTL ends (virtual ms)
        self._sources: dict[bytes, bytes] = {}
        self._sessions: list[RealSession] = []
        self._client = WireClient(url)
        if held := self._client.value("DBSIZE"):
            raise UsageError(f"{shown(url)} holds {held!r} keys: give a server whose database is empty")
        before = self._client.value("CONFIG", "GET", "notify-keyspace-events")
        assert isinstance(before, list)
        assert isinstance(before[1], bytes)
        self._notified_before = before[1]
        self._client.value("CONFIG", "SET", "notify-keyspace-events", "KA")
        self._news = WireClient(url)
        for command in (("PSUBSCRIBE", "__keyspace@*__:*"), ("SUBSCRIBE", MARK)):
            self._news.value(*command)

    @property
    def version(self) -> str:
        """What it calls itself: `Valkey 9.0.1`, `Redis 7.2.4`."""
        info = self._client.value("INFO", "server")
        assert isinstance(info, bytes)
        fields = {name: value for name, _, value in (line.partition(":") for line in text(info).splitlines())}
        name = "Valkey" if "valkey_version" in fields else "Redis"
        return f"{name} {fields.get('valkey_version') or fields.get('redis_version', '?')}"

    def reset(self) -> None:
        """Empty, no script known, at virtual time 0."""
        self._forget(list(self._keys))
        self.flush_scripts()
        self._sources.clear()
        for session in self._sessions:
            session.close()
        self._sessions.clear()
        self.reachable, self.commands, self._now_ms = True, 0, 0

    def close(self) -> None:
        """Leave the server as it was."""
        self.reset()
        self._client.value("CONFIG", "SET", "notify-keyspace-events", self._notified_before)
        self._client.close()
        self._news.close()

    # -- what a run asks of its server -------------------------------------------------------------------------------

    def open_session(self) -> RealSession:  # type: ignore[override]  # as opaque to the link as the other one
        """A new client's session."""
        session = RealSession(self._url)
        self._sessions.append(session)
        return session

    def close_session(self, session: RealSession) -> None:  # type: ignore[override]
        """A client has gone."""
        session.close()

    def execute(self, session: RealSession, args: list[bytes]) -> Executed:  # type: ignore[override]
        """Execute one command; those between MULTI and EXEC go to the server together, at EXEC."""
        self.commands += 1
        name = args[0].upper()
        if name == b"MULTI" and session.queued is None:
            session.queued = []
            return Executed(b"OK", b"+OK\r\n", [], [], None)
        if session.queued is not None and name == b"DISCARD":
            session.queued = None
            if session.watched:
                session.watched = set()
                session.client.ask([b"UNWATCH"])
            return Executed(b"OK", b"+OK\r\n", [], [], None)
        if session.queued is not None and name == b"EXEC":
            return self._transaction(session)
        if session.queued is not None:
            session.queued.append(args)
            return Executed(b"QUEUED", b"+QUEUED\r\n", [], [], None)
        if name in (b"WATCH", b"UNWATCH"):
            session.watched = session.watched | set(args[1:]) if name == b"WATCH" else set()
            [(value, raw)] = session.client.ask(args)
            return Executed(value, raw, [text(key) for key in args[1:]], [], None)
        if name == b"TIME":
            return Executed(self._time(), pack(self._time()), [], [], None)
        value, raw, writes = self._atomically(self._client, [args])
        if isinstance(value, list):
            value, raw = value[0], elements(raw)[0]
        refused = isinstance(value, Exception) and not writes
        done = Executed(value, raw, [] if refused else self._reads([args], writes), writes, None)
        if value is None and name in _BLOCKING:
            done.blocked_for, done.reply = float(args[-1]), NULL_ARRAY
        return done

    @property
    def tells_of_ends(self) -> bool:
        """Never: what it publishes does not reach the simulated network."""
        return False

    def flush_scripts(self) -> None:
        """Forget all cached scripts."""
        self._client.value("SCRIPT", "FLUSH")

    def load_scripts(self, scripts: Iterable[Script]) -> None:
        """Put scripts into the cache; those that ask for the TIME as `_timed` will ask for them."""
        for script in scripts:
            source = self._sources[script.sha.encode()] = script.source.encode()
            self._client.value("SCRIPT", "LOAD", _with_clock(source))

    def script_name(self, source_or_sha: bytes) -> str:
        """As the simulation's server calls it."""
        source = self._sources.get(source_or_sha.lower(), source_or_sha)
        header = text(source.split(b"\n", 1)[0])
        words = header.lstrip("- ").replace(":", " ").split() if header.startswith("--") else []
        return words[0] if words else text(source_or_sha[:8])

    def lose_data(self) -> None:
        """All that this run has written is gone."""
        self._forget(list(self._keys))

    def evict(self, key: bytes) -> None:
        """A key disappears before its end."""
        self._forget([key])

    def ttl_ends_ms(self) -> Iterator[int]:
        """When each key's TTL ends, in virtual milliseconds."""
        return iter([end for _, end in self._keys.values() if end is not None])

    def keys(self) -> dict[str, tuple[str, int | None]]:
        """Every key that is there: its type, and when its TTL ends (virtual ms, None: never)."""
        return {text(key): found for key, found in sorted(self._keys.items())}

    def lasting_keys(self) -> Iterator[str]:
        """The keys that have no end."""
        return (text(key) for key, (_, end) in self._keys.items() if end is None)

    def expire(self, now_ms: int) -> list[str]:
        """It is `now_ms`: delete the keys whose end has passed; say which."""
        self._now_ms = now_ms
        gone = [key for key, (_, end) in self._keys.items() if end is not None and end < now_ms]
        self._forget(gone)
        return [text(key) for key in gone]

    # -- within ------------------------------------------------------------------------------------------------------

    def _value(self, key: str) -> bytes:
        value = self._client.value("GET", key)
        return value if isinstance(value, bytes) else b""

    def _forget(self, keys: Iterable[bytes]) -> None:
        if keys := list(keys):
            self._client.value("DEL", *keys)
            for key in keys:
                self._keys.pop(key, None)

    def _transaction(self, session: RealSession) -> Executed:
        commands, session.queued = session.queued or [], None
        client = session.client if session.watched else self._client
        session.watched = set()  # EXEC drops it, whatever becomes of it
        value, raw, writes = self._atomically(client, commands)
        return Executed(value, raw, self._reads(commands, writes), writes, None)

    def _atomically(self, client: WireClient, commands: list[list[bytes]]) -> tuple[Value, bytes, list[str]]:
        """Execute commands with the TTLs in force. Returns the list of their replies, its bytes, and what was written.

        In place of the list: nil if a watched key has changed; an error if the server refused a command outright.
        """
        watched = {key for session in self._sessions for key in session.watched}
        thaw = [
            [b"PEXPIRE", key, b"%d" % max(1, end - self._now_ms)]
            for key, (_, end) in self._keys.items()
            if end is not None and key not in watched
        ]
        before = [*thaw, [b"PUBLISH", MARK, b"begin"]]
        after = [[b"PUBLISH", MARK, b"end"], [b"EVAL", _FREEZE, b"0", *sorted(watched)]]
        unit = [*before, *map(self._timed, commands), *after]
        *queued, (value, raw) = client.ask([b"MULTI"], *unit, [b"EXEC"])
        if not isinstance(value, list):
            refused = next(((each, its) for each, its in queued if isinstance(each, Exception)), None)
            return (*(refused or (value, raw)), [])
        writes = self._written()
        self._learn(value[-1], writes, watched)
        replies = elements(raw)[len(before) : -len(after)]
        return (
            value[len(before) : -len(after)],
            b"*%d\r\n" % len(replies) + b"".join(replies),
            [text(k) for k in writes],
        )

    def _timed(self, args: list[bytes]) -> list[bytes]:
        """The command as it is sent: a script that asks for the TIME gets the line in front, and the time behind."""
        name = args[0].upper()
        if name not in _SCRIPTS or len(args) < 3:
            return args
        if by_source := name.startswith(b"EVAL") and b"SHA" not in name:
            source = args[1]
            self._sources[hashlib.sha1(source, usedforsecurity=False).hexdigest().encode()] = source
        elif (known := self._sources.get(args[1].lower())) is not None:
            source = known
        else:
            return args
        timed = _with_clock(source)
        if timed is source:
            return args
        source = timed
        sent = source if by_source else hashlib.sha1(source, usedforsecurity=False).hexdigest().encode()
        return [args[0], sent, *args[2:], *self._time()]

    def _time(self) -> list[bytes]:
        seconds, milliseconds = divmod(EPOCH_MS + self._now_ms, 1000)
        return [b"%d" % seconds, b"%d" % (milliseconds * 1000)]

    def _written(self) -> list[bytes]:
        """The keys of which the server has notified between the two marks."""
        writes: dict[bytes, None] = {}
        within = False
        while True:
            message = self._news.read()[0]
            assert isinstance(message, list)
            if message[0] == b"message":
                if message[2] == b"end":
                    return list(writes)
                within = True
            elif within and message[0] == b"pmessage" and isinstance(message[2], bytes):
                writes[message[2].partition(b"__:")[2]] = None

    def _learn(self, found: Value, writes: list[bytes], watched: set[bytes]) -> None:
        assert isinstance(found, list), found
        known, self._keys = self._keys, {}
        for entry in found:
            assert isinstance(entry, list)
            key, kind, left_ms = entry
            assert isinstance(key, bytes)
            assert isinstance(kind, bytes)
            assert isinstance(left_ms, int)
            end = known[key][1] if key in known else None
            # What nobody wrote ends when it would have. A watched key had no TTL back: a write of it has kept its end.
            if key in writes and not (key in watched and left_ms < 0) and not (left_ms == 1 and end == self._now_ms):
                end = self._now_ms + left_ms if left_ms >= 0 else None
            self._keys[key] = (kind.decode(), end)

    def _reads(self, commands: list[list[bytes]], writes: list[str]) -> list[str]:
        keys: dict[str, None] = {}
        for args in commands:
            if args[0].upper() in _OF_ALL_KEYS:
                keys[text(ANY_KEY)] = None
            elif args[0].upper() not in (b"PING", b"HELLO", b"CLIENT", b"PUBLISH", b"INFO", b"AUTH", b"SELECT"):
                keys.update(dict.fromkeys(text(key) for key in declared_keys(args)))
        return [key for key in keys if key not in writes]


def _with_clock(source: bytes) -> bytes:
    asks = b"'TIME'" in source.upper() or b'"TIME"' in source.upper()
    return _CLOCK + source if asks else source


__all__ = ["RealServer"]
