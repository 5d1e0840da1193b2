"""What Redis' protocol says: commands in bytes, transactions, the keys a command names, replies as short text."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

from fakeredis.model import get_command_info
from redis.crc import key_slot

from engine.simulation.server import text

Command = list[bytes]
"""A command: its arguments, the name first."""

CROSSSLOT = b"-CROSSSLOT Keys in request don't hash to the same slot\r\n"
NON_LOCAL_KEY = b"-ERR Script attempted to access a non local key in a cluster node\r\n"
DISCARD = [b"DISCARD"]
NULL_ARRAY = b"*-1\r\n"

#: Commands with a number of keys among their arguments: where it stands. The keys follow it.
_NUMBERED = {
    b"EVAL": 2, b"EVALSHA": 2, b"EVAL_RO": 2, b"EVALSHA_RO": 2, b"FCALL": 2, b"FCALL_RO": 2,
    b"ZUNION": 1, b"ZINTER": 1, b"ZDIFF": 1, b"SINTERCARD": 1, b"ZINTERCARD": 1, b"LMPOP": 1, b"ZMPOP": 1,
    b"BLMPOP": 2, b"BZMPOP": 2, b"ZUNIONSTORE": 2, b"ZINTERSTORE": 2, b"ZDIFFSTORE": 2,
}  # fmt: skip
#: Commands whose arguments are all keys, but for a time-out at the end of the blocking ones.
_ALL = frozenset({b"DEL", b"UNLINK", b"EXISTS", b"TOUCH", b"MGET", b"WATCH", b"PFCOUNT", b"PFMERGE"}) | frozenset(
    {b"SUNION", b"SINTER", b"SDIFF", b"SUNIONSTORE", b"SINTERSTORE", b"SDIFFSTORE"}
)
_ALL_BUT_LAST = frozenset({b"BLPOP", b"BRPOP", b"BZPOPMIN", b"BZPOPMAX"})
_PAIRS = frozenset({b"MSET", b"MSETNX"})


def split_commands(data: bytes) -> tuple[list[Command], bytes]:
    """The complete commands in a RESP request, and what is left."""
    commands: list[Command] = []
    position, length = 0, len(data)
    while position < length:
        start = position
        line_end = data.find(b"\r\n", position)
        if line_end < 0:
            return commands, data[start:]
        args: Command = []
        count = int(data[position + 1 : line_end])
        position = line_end + 2
        for _ in range(count):
            line_end = data.find(b"\r\n", position)
            if line_end < 0:
                return commands, data[start:]
            value = line_end + 2
            end = value + int(data[position + 1 : line_end])
            position = end + 2
            if position > length:
                return commands, data[start:]
            args.append(data[value:end])
        commands.append(args)
    return commands, b""


def transactions(commands: list[Command]) -> Iterator[list[Command]]:
    """Units that the server executes without another client's command in between: MULTI to EXEC, else one command."""
    unit: list[Command] = []
    for command in commands:
        unit.append(command)
        name = command[0].upper()
        if unit[0][0].upper() != b"MULTI" or name in (b"EXEC", b"DISCARD"):
            yield unit
            unit = []
    if unit:
        yield unit


def declared_keys(args: list[bytes]) -> list[bytes]:
    """The keys that a command names, as a cluster's client would find them."""
    name = args[0].upper()
    if (place := _NUMBERED.get(name)) is not None:
        count = int(args[place]) if len(args) > place and args[place].isdigit() else 0
        return args[1:place] * name.endswith(b"STORE") + args[place + 1 : place + 1 + count]
    if name in _ALL:
        return args[1:]
    if name in _ALL_BUT_LAST:
        return args[1:-1]
    if name in _PAIRS:
        return args[1::2]
    if name in (b"XREAD", b"XREADGROUP"):
        streams = next((place for place, arg in enumerate(args) if arg.upper() == b"STREAMS"), len(args)) + 1
        return args[streams : streams + (len(args) - streams) // 2]
    first, last = _key_places(args[0].lower())
    return args[first : last + 1] if first else []


@functools.cache
def _key_places(name: bytes) -> tuple[int, int]:
    """Where the first and the last key of a plain command stand, by the server's own COMMAND table."""
    info = get_command_info(name)
    return (info[3], info[4]) if info is not None else (1, 1)


def in_two_slots(keys: list[bytes]) -> bool:
    """Whether a cluster would have these keys in more than one hash slot."""
    return len({key_slot(key) for key in keys}) > 1


def is_script(args: list[bytes]) -> bool:
    """Whether a command runs a script or a function."""
    return args[0].upper() in (b"EVAL", b"EVALSHA", b"FCALL")


def first_key(args: list[bytes]) -> str:
    """The first key that a command names, as text; empty if there is none."""
    keys = declared_keys(args)
    return text(keys[0]) if keys else ""


def short(value: Any, limit: int = 200) -> str:
    """A reply as short text."""
    if value is None:
        return "nil"
    if isinstance(value, bytes):
        shown = text(value)
    elif isinstance(value, list):
        shown = "[" + ", ".join(short(each, 80) for each in value[:8]) + (", …]" if len(value) > 8 else "]")
    else:
        shown = str(value)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def shown_args(args: list[bytes], script_name: Callable[[bytes], str]) -> list[str]:
    """A command's arguments as short texts; a script by its name."""
    shown = [short(arg) for arg in args]
    if len(args) > 1 and is_script(args):
        shown[1] = script_name(args[1])
    return shown
