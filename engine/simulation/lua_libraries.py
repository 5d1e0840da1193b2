"""What a server's Lua gives to scripts and fakeredis' does not: `cmsgpack`, `bit` and the rest of `redis`.

Not here: `struct`, whose absence a script hears as it would of any name that is not there.
"""

import hashlib
from typing import Any

import msgpack
from lupa import lua51

#: In Lua, where it is simplest. `replicate_commands` has done nothing since Redis 7 and is still in many scripts.
_REDIS = """
function(sha1hex)
    redis.sha1hex = function(text) return sha1hex(tostring(text)) end
    redis.replicate_commands = function() return true end
    redis.set_repl = function() end
    redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL = 0, 1, 2, 2, 3
    redis.REDIS_VERSION, redis.REDIS_VERSION_NUM = '7.2.0', 0x00070200
end
"""
#: Of `os` a server has the CPU time alone, which here is none: the machine's would differ from run to run. It has no `io`.
_MAKE_TABLES = "function() cmsgpack, bit, os, io = {}, {}, {clock = function() return 0 end}, nil end"

NAMES = frozenset((b"cmsgpack", b"bit"))
"""The globals that `add_libraries` makes."""


def add_libraries(runtime: Any) -> None:
    """Give an interpreter what it lacks."""
    runtime.eval(_REDIS)(lambda data: hashlib.sha1(data, usedforsecurity=False).hexdigest().encode())
    runtime.eval(_MAKE_TABLES)()
    cmsgpack, bit = runtime.globals()[b"cmsgpack"], runtime.globals()[b"bit"]
    cmsgpack[b"pack"] = lambda *values: b"".join(msgpack.packb(_plain(each), use_bin_type=False) for each in values)
    cmsgpack[b"unpack"] = lambda data: _unpacked(runtime, data)
    for name, function in _BIT.items():
        bit[name] = function


def _plain(value: Any) -> Any:
    """A Lua value as msgpack takes it: a table with the keys 1 to n and no other is an array, as on a server."""
    if lua51.lua_type(value) != "table":
        return int(value) if isinstance(value, float) and value.is_integer() else value
    items = dict(value.items())
    if set(items) == set(range(1, len(items) + 1)):
        return [_plain(items[place]) for place in range(1, len(items) + 1)]
    return {_plain(key): _plain(each) for key, each in items.items()}


def _unpacked(runtime: Any, data: bytes) -> Any:
    unpacker = msgpack.Unpacker(raw=True, strict_map_key=False)
    unpacker.feed(data)
    return tuple(_of_lua(runtime, each) for each in unpacker)


def _of_lua(runtime: Any, value: Any) -> Any:
    if isinstance(value, list):
        return runtime.table_from([_of_lua(runtime, each) for each in value])
    if isinstance(value, dict):
        return runtime.table_from({key: _of_lua(runtime, each) for key, each in value.items()})
    return value


def _signed(value: float) -> int:
    low = round(value) & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low


def _fold(operation: Any) -> Any:
    def folded(first: float, *rest: float) -> int:
        result = round(first)
        for each in rest:
            result = operation(result, round(each))
        return _signed(result)

    return folded


_BIT: dict[bytes, Any] = {
    b"tobit": _signed,
    b"bnot": lambda value: _signed(~round(value)),
    b"band": _fold(lambda one, other: one & other),
    b"bor": _fold(lambda one, other: one | other),
    b"bxor": _fold(lambda one, other: one ^ other),
    b"lshift": lambda value, by: _signed(round(value) << (round(by) & 31)),
    b"rshift": lambda value, by: _signed((round(value) & 0xFFFFFFFF) >> (round(by) & 31)),
    b"arshift": lambda value, by: _signed(_signed(value) >> (round(by) & 31)),
    b"tohex": lambda value, digits=8: b"%0*x" % (int(digits), (round(value) & 0xFFFFFFFF) % 16 ** int(digits)),
}
