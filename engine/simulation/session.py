"""One client's session on the simulated server: fakeredis' own, repaired where it differs from a server."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import redis as redis_py
from fakeredis import _msgs
from fakeredis._clients._tcp_server import encode_reply
from fakeredis._command_args_parsing import Int
from fakeredis._commands import Key, command
from fakeredis._core import FakeServer, Item
from fakeredis._helpers import NoResponse, SimpleError
from fakeredis._socket import FakeSocket
from fakeredis.model import XStream

#: Commands that change keys without fakeredis saying so.
UNTOLD = frozenset({
    "lmpop", "blmpop", "xack", "xautoclaim", "xclaim", "xdel", "xreadgroup",
    "xgroup createconsumer", "xgroup delconsumer", "xgroup destroy", "xgroup setid",
    "hexpire", "hexpireat", "hgetex", "hpersist", "hpexpire", "hpexpireat",
})  # fmt: skip


class SimSocket(FakeSocket):
    """One client's session on the server."""

    def __init__(self, server: FakeServer, number: int = 0) -> None:
        self.number = number
        #: Where what is published goes. None: nobody listens.
        self.push: Callable[[bytes], None] | None = None
        self._answering = False
        super().__init__(server, 0, None, redis_py.Redis, client_info={})
        self.replies: list[Any] = []
        self.blocked_for: float | None = None  # seconds, 0: without end; None: not blocked

    def __hash__(self) -> int:
        """Its number: fakeredis keeps subscribers in sets, which are then walked in the same order in each run."""
        return self.number

    def put_response(self, msg: Any) -> None:
        """Keep a reply until the network takes it; what another session published goes at once."""
        if self._answering:
            self.replies.append(msg)
        elif self.push is not None:
            self.push(encode_reply(msg, 2))

    def answer(self, args: list[bytes]) -> Any:
        """Execute a command; its reply, or None if it has none. Raises whatever goes wrong within fakeredis."""
        self.replies.clear()
        self.blocked_for = None
        if self._killed:
            raise redis_py.ConnectionError("Connection closed by server.")
        self._answering = True
        try:
            self._process_command(args)
        finally:
            self._answering = False
        if not self.replies or (self.replies[0] is None and args[0].upper() == b"BLMOVE" and self.blocked_for is None):
            return self._blocked_move(args) if self.replies else None
        return self.replies[0]

    def _blocked_move(self, args: list[bytes]) -> None:
        # fakeredis answers at once where the source is not there; a server waits, but for a transaction.
        if not self._in_transaction:
            self.blocked_for = float(args[-1])

    def _lua_redis_call(self, lua_runtime: Any, expected_globals: set[Any], op: bytes, *args: Any) -> Any:
        # fakeredis' callbacks hold its own interpreter: see `engine/simulation/lua.py`.
        return super()._lua_redis_call(self._server._lua_runtime, expected_globals, op, *args)  # type: ignore[attr-defined]

    def _lua_redis_pcall(self, lua_runtime: Any, expected_globals: set[Any], op: bytes, *args: Any) -> Any:
        # fakeredis gives the error as an object of Python's, which a script can neither compare nor search.
        try:
            return self._lua_redis_call(lua_runtime, expected_globals, op, *args)
        except Exception as error:
            told = " ".join(str(error).split()).encode("utf-8", "replace")
            return self._server._lua_runtime.table_from({b"err": told})  # type: ignore[attr-defined]

    def _run_command(self, func: Any, sig: Any, args: list[Any], from_script: bool) -> Any:
        result = super()._run_command(func, sig, args, from_script)
        name = sig.name
        if name in UNTOLD and not isinstance(result, Exception):
            for key in _changed(name, args, result):
                # What a group has read and acknowledged is no change of its stream to who watches that.
                if name.startswith("x") and name != "xdel":
                    self._db.writes[key] = None  # type: ignore[attr-defined]
                else:
                    self._db.notify_watch(key)
                item = self._db.get(key)
                if item is not None and not item.value and not isinstance(item.value, XStream):
                    del self._db[key]  # its last element has gone
        return result

    def _expireat(self, key: Any, timestamp: float, *args: bytes) -> Any:
        """EXPIRE and its kind: what ends now or earlier is gone at once."""
        done = super()._expireat(key, timestamp, *args)
        if done and round(timestamp * 1000) <= round(self._db.time * 1000):
            key.value = None
        return done

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

    def getex(self, key: Any, *args: bytes) -> Any:
        """GETEX likewise."""
        value = super().getex(key, *args)
        if value is not None and len(args) == 2:
            number = int(args[1])
            ends = {b"EX": self._db.time + number, b"PX": self._db.time + number / 1000, b"PXAT": number / 1000}
            key.expireat = ends.get(args[0].upper(), key.expireat)
            if key.expireat is not None and round(key.expireat * 1000) <= round(self._db.time * 1000):
                key.value = None
        return value

    def copy(self, key: Any, newkey: Any, *args: bytes) -> Any:
        """COPY of the value: fakeredis gives both keys the same one, so that what is done to one is done to the other."""
        done = super().copy(key, newkey, *args)
        if done:
            newkey.update(deepcopy(key.value))
            newkey.db[newkey.key] = Item(None)  # what fakeredis has put there is the source's
        return done

    def _xreadgroup(
        self, consumer_name: bytes, groups: Any, count: int | None, noack: bool, min_idle: int | None, first_pass: bool
    ) -> Any:
        """XREADGROUP that blocks: fakeredis gives what it finds at first to nobody, and with a COUNT it never waits."""
        return super()._xreadgroup(consumer_name, groups, count, noack, min_idle, False) or None

    def as_waiting(self, args: list[bytes]) -> list[bytes]:
        """A command that blocks, as it is to be tried again: `$`, in XREAD, is what was the last entry when it was sent."""
        if args[0].upper() != b"XREAD" or b"$" not in args:
            return args
        first = next(place for place, arg in enumerate(args) if arg.upper() == b"STREAMS") + 1
        half = (len(args) - first) // 2
        since = []
        for key, last in zip(args[first : first + half], args[first + half :], strict=True):
            item = self._db.get(key) if last == b"$" else None
            since.append(item.value.last_item_key() if item is not None else b"0-0" if last == b"$" else last)
        return [*args[: first + half], *since]

    def xreadgroup(self, group_const: bytes, group_name: bytes, consumer_name: bytes, *args: bytes) -> Any:
        """XREADGROUP: a stream that is not there has no group either, by which designs see that they must make one."""
        try:
            return super().xreadgroup(group_const, group_name, consumer_name, *args)
        except SimpleError as error:
            if error.value != _msgs.XGROUP_KEY_NOT_FOUND_MSG:
                raise
            upper = [arg.upper() for arg in args]
            streams = args[upper.index(b"STREAMS") + 1 :]
            missing = next(key for key in streams[: len(streams) // 2] if key not in self._db)
            told = _msgs.XREADGROUP_KEY_OR_GROUP_NOT_FOUND_MSG
            raise SimpleError(
                told.format(missing.decode("utf-8", "replace"), group_name.decode("utf-8", "replace"))
            ) from None

    # -- commands that fakeredis lacks -------------------------------------------------------------------------------

    @command(name="TOUCH", fixed=(Key(),), repeat=(Key(),))
    def touch(self, *keys: Any) -> int:
        """How many of the keys are there."""
        return sum(bool(key) for key in keys)

    @command(name="WAIT", fixed=(Int, Int))
    def wait(self, replicas: int, timeout_ms: int) -> int:
        """There are no replicas to wait for."""
        return 0

    @command(name="CONFIG GET", fixed=(bytes,), repeat=(bytes,))
    def config_get(self, *names: bytes) -> list[bytes]:
        """What `CONFIG SET` has set; patterns are no use here."""
        found = [(name, value) for name, value in self._server.config.items() if name in names]
        return [each for pair in found for each in pair]

    def _blocking(self, timeout: float | None, func: Any, shape: Any = None) -> Any:
        # A blocked client would need a thread. The network parks it instead, and gives the command again when a key
        # has changed, until its time is over.
        result = func(True)
        if result is None and not self._in_transaction:
            self.blocked_for = timeout or 0.0
            return NoResponse()
        return result if shape is None else shape(result)


def _changed(name: str, args: list[Any], reply: Any) -> list[bytes]:
    """The keys that a command of `UNTOLD` has changed, by its reply."""
    if name == "xreadgroup":
        return [key for key, entries in reply if entries] if isinstance(reply, list) else []
    if name in ("lmpop", "blmpop"):
        return [reply[0]] if isinstance(reply, list) else []
    if name == "hgetex" and args[1].upper() == b"FIELDS":
        return []  # it sets no end
    if name in ("xgroup delconsumer", "xclaim"):
        return [args[0]]  # whatever it says: a consumer may be gone, an entry that was deleted no longer claimed
    did = reply[1:] if name == "xautoclaim" else reply  # without the cursor
    return [args[0]] if _says_something(did) else []


def _says_something(reply: Any) -> bool:
    if isinstance(reply, list):
        return any(_says_something(each) for each in reply)
    if isinstance(reply, int):
        return reply > 0
    return reply is not None
