"""Brings time and randomness under the simulation, and reports strategy code that reaches past its `Runtime`.

While a run goes on, `time.*`, `datetime.now`, the global `random`, `uuid1`/`uuid4` and `os.urandom` are replaced, in
their modules and in the globals of strategy modules that imported them by name. A call from library code gets the
virtual time or a seeded value; a call from strategy code is caught, with file and line. So is a thread, a process or a
connection of the strategy's own, by whatever library it makes one.
"""

import datetime as dt
import os
import random as random_module
import secrets
import socket
import subprocess
import sys
import threading
import time as time_module
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any, NoReturn

from engine.buffer.errors import UsageError
from engine.simulation.files import is_design_file, is_strategy_file

_RANDOM_NAMES = tuple(
    name
    for name in random_module.__all__
    if name not in ("Random", "SystemRandom") and callable(getattr(random_module, name))
)
#: Clocks of the time module, in seconds and in nanoseconds.
_CLOCKS = ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime")
_PLAIN_CLOCKS = frozenset({"time.time", "time.monotonic", "time.perf_counter"})
#: These read the clock only if they are not given a time; the number says after how many arguments that one comes.
_OF_A_TIME = {"time.gmtime": 0, "time.localtime": 0, "time.ctime": 0, "time.asctime": 0, "time.strftime": 1}
_WORLD = str(Path(__file__).with_name("world.py"))
THREAD = "starts a thread", "use runtime.start() instead"
CONNECTION = "opens a connection of its own", "use runtime.redis, post_delivery() and hand_over() instead"
PROCESS = "starts a process", "leave it out"
_REFUSED = {
    "Thread.start": THREAD,
    "socket.connect": CONNECTION,
    "socket.connect_ex": CONNECTION,
    "socket.getaddrinfo": CONNECTION,
    "Popen.__init__": PROCESS,
}


class NondeterminismError(UsageError):
    """A strategy called a clock or a source of randomness that is not its `Runtime`'s."""


class Guard:
    """A context in which clocks and randomness are the simulation's. Made once a process, used for each run."""

    def __init__(self) -> None:
        self._clock: Callable[[], float] = lambda: 0.0
        self._random = random_module.Random()
        self._thread = 0
        self._caught: list[str] = []
        self._seen: tuple[int, type | None] = (0, None)
        self._by_name: list[tuple[dict[str, Any], str, Any]] = []
        self._replacements = {id(original): self._replacement(name, original) for name, original in _originals()}
        #: By module, as each run puts a hundred names in place.
        self._of_modules = [
            (names, {name: self._replacements[id(original)] for name, original in originals.items()})
            for names, originals in _ORIGINALS
        ]
        self._of_classes = [(owner, name, self._replacements[id(original)]) for owner, name, original in _METHODS]

    @contextmanager
    def running(self, clock: Callable[[], float], strategy: type) -> Iterator[None]:
        """For the length of one run, `clock` is the time. Raises `NondeterminismError` at its end, if a call was caught."""
        self._clock = clock
        self._random.seed("library")
        self._thread = threading.get_ident()
        self._caught.clear()
        self._find_names(strategy)
        for names, replacements in self._of_modules:
            names.update(replacements)
        for owner, name, replacement in self._of_classes:
            setattr(owner, name, replacement)
        for names, name, original in self._by_name:
            names[name] = self._replacements[id(original)]
        try:
            yield
        finally:
            for module_names, originals in _ORIGINALS:
                module_names.update(originals)
            for owner, name, original in _METHODS:
                setattr(owner, name, original)
            for names, name, original in self._by_name:
                names[name] = original
        if self._caught:
            raise NondeterminismError(self._caught[0])

    def _find_names(self, strategy: type) -> None:
        """Names in strategies' modules that hold a clock; looked for again only when something was imported."""
        if (len(sys.modules), strategy) == self._seen:
            return
        self._seen = (len(sys.modules), strategy)
        self._by_name = [
            (names, name, value)
            for names in _namespaces(strategy)
            for name, value in list(names.items())
            if id(value) in self._replacements
        ]

    def _replacement(self, name: str, original: Any) -> Any:
        if name == "datetime.datetime":
            return self._datetime_class()
        if name == "random.Random":
            return self._random_class()
        if name in _REFUSED:
            return self._refusal(name, original)
        simulated = self._simulated(name, original)
        guard = self

        def guarded_clock() -> Any:
            if threading.get_ident() != guard._thread:
                return original()
            frame = sys._getframe(1)
            if is_strategy_file(frame.f_code.co_filename):
                guard._check(name, frame)
            return guard._clock()

        if name in _PLAIN_CLOCKS:  # libraries read them for every command
            return guarded_clock

        def guarded(*args: Any, **kwargs: Any) -> Any:
            given = len(args) + len(kwargs)
            if threading.get_ident() != guard._thread or given > _OF_A_TIME.get(name, given):
                return original(*args, **kwargs)
            guard._check(name, sys._getframe(1))
            return simulated(*args, **kwargs)

        return guarded

    def _simulated(self, name: str, original: Any) -> Callable[..., Any]:
        stream = self._random

        def clock() -> float:
            return self._clock()

        if name in _PLAIN_CLOCKS:
            return clock
        if name == "random._urandom":
            return stream.randbytes
        if name.startswith("random."):
            return getattr(stream, name[7:])  # type: ignore[no-any-return]
        if name.startswith("time.") and name.endswith("_ns"):
            return lambda *_: round(clock() * 1000) * 1_000_000
        gmtime = time_module.gmtime
        table: dict[str, Callable[..., Any]] = {
            "time.sleep": lambda _seconds: None,
            "time.gmtime": lambda: gmtime(clock()),
            "time.localtime": lambda: gmtime(clock()),
            "time.ctime": lambda: time_module.asctime(gmtime(clock())),
            "time.asctime": lambda: original(gmtime(clock())),
            "time.strftime": lambda shape: original(shape, gmtime(clock())),
            "time.clock_gettime": lambda _clock: clock(),
            "uuid.uuid1": lambda *_, **__: uuid.UUID(int=stream.getrandbits(128), version=1),
            "uuid.uuid4": lambda: uuid.UUID(int=stream.getrandbits(128), version=4),
            "os.urandom": stream.randbytes,
            "secrets.token_hex": lambda nbytes=32: stream.randbytes(nbytes).hex(),
            "secrets.token_bytes": lambda nbytes=32: stream.randbytes(nbytes),
            "secrets.token_urlsafe": lambda nbytes=32: stream.randbytes(nbytes).hex(),
            "secrets.randbelow": stream.randrange,
        }
        return table.get(name, clock if name.startswith("time.") else original)

    def _datetime_class(self) -> type:
        guard, real = self, dt.datetime

        class Meta(type):
            def __instancecheck__(cls, instance: object) -> bool:
                return isinstance(instance, real)

            def __subclasscheck__(cls, subclass: type) -> bool:
                return issubclass(subclass, real)

        class GuardedDatetime(real, metaclass=Meta):  # type: ignore[misc, valid-type]
            @classmethod
            def now(cls, tz: dt.tzinfo | None = None) -> Any:
                guard._check("datetime.now", sys._getframe(1))
                return real.fromtimestamp(guard._clock(), tz)

            @classmethod
            def utcnow(cls) -> Any:
                guard._check("datetime.utcnow", sys._getframe(1))
                return real.fromtimestamp(guard._clock(), dt.UTC).replace(tzinfo=None)

            @classmethod
            def today(cls) -> Any:
                guard._check("datetime.today", sys._getframe(1))
                return real.fromtimestamp(guard._clock())

        return GuardedDatetime

    def _random_class(self) -> type:
        guard, real, stream = self, random_module.Random, self._random

        class Meta(type):
            def __instancecheck__(cls, instance: object) -> bool:
                return isinstance(instance, real)

            def __subclasscheck__(cls, subclass: type) -> bool:
                return issubclass(subclass, real)

        class GuardedRandom(real, metaclass=Meta):  # type: ignore[misc, valid-type]
            def __init__(self, x: Any = None) -> None:
                if x is None:  # then it would seed itself from the machine
                    guard._check("random.Random", sys._getframe(1))
                    x = stream.getrandbits(64)
                super().__init__(x)

        return GuardedRandom

    def _refusal(self, name: str, original: Any) -> Callable[..., Any]:
        guard = self

        def refused(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() == guard._thread and _design_frame() is not None:
                guard.refuse(*_REFUSED[name])
            return original(*args, **kwargs)

        return refused

    def refuse(self, what: str, instead: str) -> NoReturn:
        """Catch what a strategy must not do, and stop it there; it is said at the end of the run, if it is swallowed."""
        frame = _design_frame()
        where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}" if frame is not None else "the strategy"
        self._caught.append(f"{where} {what}, which no run can reproduce: {instead}")
        raise NondeterminismError(self._caught[-1])

    def _check(self, name: str, frame: FrameType) -> None:
        filename = frame.f_code.co_filename
        if not is_strategy_file(filename):
            return
        use = "runtime.now()" if name.startswith(("time.", "datetime.")) else "runtime.random"
        if name == "time.sleep":
            use = "await runtime.sleep()"
        where = f"{Path(filename).name}:{frame.f_lineno}"
        self._caught.append(f"{where} calls {name}(), which no run can reproduce: use {use} instead")


def _design_frame() -> FrameType | None:
    """The innermost frame of a design's own code that is at work. Beyond the world's own frame is whoever runs it."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and not is_design_file(frame.f_code.co_filename):
        frame = None if frame.f_code.co_filename == _WORLD else frame.f_back
    return frame


def _originals() -> list[tuple[str, Any]]:
    return [(f"{module.__name__}.{name}", original) for module, name, original in _PLACES]


_PLACES: list[tuple[ModuleType | type, str, Any]] = [
    *(
        (time_module, name, getattr(time_module, name))
        for name in (*_CLOCKS, *(f"{clock}_ns" for clock in _CLOCKS), *(name[5:] for name in _OF_A_TIME), "sleep")
    ),
    *((random_module, name, getattr(random_module, name)) for name in _RANDOM_NAMES),
    (dt, "datetime", dt.datetime),
    (random_module, "Random", random_module.Random),
    (random_module, "_urandom", os.urandom),  # what SystemRandom and secrets read
    (uuid, "uuid1", uuid.uuid1),
    (uuid, "uuid4", uuid.uuid4),
    (os, "urandom", os.urandom),
    (threading.Thread, "start", threading.Thread.start),
    (socket.socket, "connect", socket.socket.connect),
    (socket.socket, "connect_ex", socket.socket.connect_ex),
    (socket, "getaddrinfo", socket.getaddrinfo),
    (subprocess.Popen, "__init__", subprocess.Popen.__init__),
    *((secrets, name, getattr(secrets, name)) for name in ("token_hex", "token_bytes", "token_urlsafe", "randbelow")),
]


def _by_module() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The names of each module, and what stood there before any run."""
    found: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
    for owner, name, original in _PLACES:
        if isinstance(owner, ModuleType):
            found.setdefault(id(owner), (vars(owner), {}))[1][name] = original
    return list(found.values())


_ORIGINALS = _by_module()
#: The same of classes, whose names can only be set one by one.
_METHODS = [place for place in _PLACES if not isinstance(place[0], ModuleType)]


def _namespaces(strategy: type) -> list[dict[str, Any]]:
    """The globals that may hold a clock by name: of all strategies' modules, and of what this strategy's code uses.

    A module that a strategy's file imports from its own folder is no longer in `sys.modules`; its functions lead to it.
    """
    waiting = [vars(module) for module in list(sys.modules.values()) if _of_strategy(getattr(module, "__file__", None))]
    waiting += [method.__globals__ for base in strategy.__mro__ for method in _functions_of(base)]
    return namespaces_from(waiting)


def namespaces_from(waiting: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """These modules' globals, and those of all strategies' modules that their values lead to."""
    found: dict[int, dict[str, Any]] = {}
    while waiting:
        names = waiting.pop()
        if id(names) in found or not _of_strategy(names.get("__file__")):
            continue
        found[id(names)] = names
        for value in list(names.values()):
            if isinstance(value, ModuleType):
                waiting.append(vars(value))
            elif isinstance(value, FunctionType):
                waiting.append(value.__globals__)
            elif isinstance(value, type):
                waiting += [method.__globals__ for method in _functions_of(value)]
    return list(found.values())


def _of_strategy(filename: object) -> bool:
    return isinstance(filename, str) and is_strategy_file(filename)


def _functions_of(owner: type) -> list[FunctionType]:
    return [value for value in vars(owner).values() if isinstance(value, FunctionType)]
