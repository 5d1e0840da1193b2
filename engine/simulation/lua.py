"""fakeredis' Lua interpreter, without the work that no script can see: one for a process of ours, shared by all runs.

For every call of a script fakeredis compiles its source and collects all of Lua's garbage, and for every `redis.call` it
walks Lua's globals, to find one that the script has made. That is most of the time of a run. Here a source is compiled
once, Lua collects its garbage when it sees fit, and Lua's own metatable refuses a global, as a server does. What a script could
use to go around that (`rawset`, another environment, …) makes it one that fakeredis checks as ever.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from fakeredis._core import FakeServer
from fakeredis._helpers import SimpleError
from fakeredis._socket import FakeSocket
from fakeredis.commands_mixins._lua_functions import FunctionsEngine
from fakeredis.commands_mixins.scripting_mixin import _lua_cjson_decode, _lua_cjson_encode

from engine.simulation.lua_libraries import NAMES, add_libraries

#: What fakeredis executes after each script.
_COLLECT = "collectgarbage()"
#: Words of a source that could make a global, or keep something for the next call, unseen.
_WAYS_AROUND = re.compile(
    rb"\b(?:_G|[gs]etfenv|rawset|load|loadstring|loadfile|dofile|require|module|package|debug|[gs]etmetatable)\b"
)
_SOURCES_MAX = 500
#: The first line of a script may say how it is to be run (Redis 7). The line's end stays, so that errors name the right line.
_SHEBANG = re.compile(rb"#!lua(?:[ \t]+flags=[a-z,-]*)?[ \t]*(?=\r?\n)")

_PROTECT_GLOBALS = """
function()
    setmetatable(_G, {
        __newindex = function(t, name)
            error("Script attempted to create global variable '" .. tostring(name) .. "'", 2)
        end,
        __index = function(t, name)
            error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
        end,
    })
end
"""
_FORGET_GLOBAL = "function(name) rawset(_G, name, nil) end"
# Come back to Python now and then, so that the bound on CPU time also stops a script that never ends.
_BREATHE = "function(breathe, instructions) debug.sethook(function() breathe() end, '', instructions) end"


class Lua:
    """What fakeredis uses of a `lupa.LuaRuntime`, over a real one."""

    def __init__(self, runtime: Any, known: frozenset[bytes]) -> None:
        self._runtime = runtime
        self._known = known
        self._chunks: dict[bytes, Callable[[], Any]] = {}
        self._forget = runtime.eval(_FORGET_GLOBAL)
        self._seed = runtime.eval("math.randomseed")
        self._suspect = False  # a global may have been made since the last run began
        self.table_from = runtime.table_from
        runtime.eval(_BREATHE)(lambda: None, 1_000_000)
        runtime.eval(_PROTECT_GLOBALS)()

    def execute(self, source: bytes | str) -> Any:
        """Run a script. Raises what it raises, and `lupa.LuaError` if it does not compile."""
        if source == _COLLECT:
            return None
        assert isinstance(source, bytes)
        chunk = self._chunks.get(source)
        if chunk is None:
            chunk = self._compile(source)
        result = chunk()
        # Of what a script returns a server sees the first value alone.
        return result[0] if isinstance(result, tuple) else result

    def globals(self) -> Any:
        """The globals, where one may have been made that is not allowed; else nothing, which fakeredis takes for none."""
        return self._runtime.globals() if self._suspect else _NONE

    def fresh(self) -> None:
        """Begin a run: what the last one has left is gone."""
        if self._suspect:
            self._suspect = False
            for name in set(self._runtime.globals().keys()) - self._known:
                self._forget(name)

    def _compile(self, source: bytes) -> Callable[[], Any]:
        chunk: Callable[[], Any]
        if _WAYS_AROUND.search(source):
            chunk = partial(self._run_warily, source)
        else:
            chunk = self._runtime.compile(_without_shebang(source))
            if b"math.random" in source:
                chunk = partial(self._run_seeded, chunk)
        if len(self._chunks) >= _SOURCES_MAX:
            self._chunks.clear()
        self._chunks[source] = chunk
        return chunk

    def _run_warily(self, source: bytes) -> Any:
        self._suspect = True
        return self._runtime.execute(_without_shebang(source))

    def _run_seeded(self, chunk: Callable[[], Any]) -> Any:
        self._seed(0)  # as a server does, so that no run depends on the one before it
        return chunk()


def _pcall_of_functions(self: FunctionsEngine, *args: Any) -> Any:
    # fakeredis gives the error as a text of Python's, which Lua can neither compare nor search.
    try:
        return self._redis_call(*args)
    except SimpleError as error:
        return self.runtime.table_from({b"err": error.value.encode("utf-8", "replace")})


FunctionsEngine._redis_pcall = _pcall_of_functions  # type: ignore[method-assign]


def _without_shebang(source: bytes) -> bytes:
    found = _SHEBANG.match(source)
    return source[found.end() :] if found is not None else source


class _NoGlobals:
    def keys(self) -> Iterable[bytes]:
        return ()


_NONE = _NoGlobals()


def install(server: FakeServer, session: FakeSocket) -> Lua:
    """Give a server such an interpreter, which its sessions then use."""
    runtime = session._get_server_runtime(server)
    attributes = vars(server)
    known: set[bytes] = attributes["_lua_expected_globals"]
    add_libraries(runtime)
    known |= NAMES
    lua = attributes["_lua_runtime"] = Lua(runtime, frozenset(known))
    cjson = runtime.globals()[b"cjson"]
    cjson[b"encode"] = partial(_lua_cjson_encode, lua, known)
    cjson[b"decode"] = partial(_lua_cjson_decode, lua, known)
    return lua
