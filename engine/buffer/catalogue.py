"""Which strategies there are: the built-in ones by name, any other by `path/to/file.py:ClassName`."""

import hashlib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from engine.buffer.errors import UsageError, choices
from engine.buffer.runtime import describe
from engine.buffer.strategy import Strategy

#: Where each built-in strategy is; imported only when it is asked for.
BUILT_IN: Mapping[str, str] = {
    "baseline": "engine.buffer.plan.baseline:Baseline",
    "lock": "engine.buffer.plan.lock:Lock",
    "lua": "engine.buffer.plan.lua:Lua",
    "fenced_lock": "engine.buffer.fenced_lock:FencedLock",
    "lease": "engine.buffer.lease.strategy:Lease",
}

#: What the harness calls, with how many arguments after `self`.
_METHODS = {"receive": 1, "deliver": 1, "tick": 0, "cleanup": 0}


def load_strategy(spec: str) -> type[Strategy]:
    """The strategy of a built-in name or of `path/to/file.py:ClassName`.

    A class that does not derive from `Strategy` but has an async `receive` gets the rest from it. Raises `UsageError`
    with one line for an unknown name, a file that is not there or does not import, and a class that cannot be run.
    """
    if spec in BUILT_IN:
        module_name, _, class_name = BUILT_IN[spec].partition(":")
        built_in: type[Strategy] = getattr(importlib.import_module(module_name), class_name)
        return built_in
    path, colon, class_name = spec.rpartition(":")
    if not colon:
        path, class_name = spec, ""
    if not path.endswith(".py"):
        raise UsageError(f"unknown strategy {spec}: {choices(spec, BUILT_IN)}, or give path/to/file.py:ClassName")
    module = load_file(Path(path).expanduser(), f"strategy {spec}")
    found = _class_of(module, class_name, spec)
    _FROM_FILES[found] = (module, class_name, spec)
    return found


#: Each class from a file: the file's module (its own may be another, which that one imports) and what it was asked for by.
_FROM_FILES: dict[type[Strategy], tuple[ModuleType, str, str]] = {}


def module_of(strategy: type[Strategy]) -> ModuleType | None:
    """The module of the file that a class was asked for from; None if it came from no file."""
    return _FROM_FILES[strategy][0] if strategy in _FROM_FILES else None


def load_again(strategy: type[Strategy]) -> type[Strategy] | None:
    """The class from the same source once more, as another process would have it; None if it came from no file.

    What its modules and classes hold is the copy's own, and so is that of the modules it imports from its folder.
    """
    if strategy not in _FROM_FILES:
        return None
    module, class_name, spec = _FROM_FILES[strategy]
    try:
        return _class_of(_run_file(module.__name__, vars(module)["__code__"], f"strategy {spec}"), class_name, spec)
    finally:
        sys.modules[module.__name__] = module


def load_file(path: Path, what: str) -> ModuleType:
    """The module of a file from outside, its folder importable meanwhile, under a name of its own.

    The name is made of the path and the content: the same in every process, and a file that was changed is another
    module, so a class that is in use stays what it was. A file of a package (its folder has an `__init__.py`) imports
    as a part of it, relatively too. Raises `UsageError`, which begins with `what`, if it cannot be read or imported.
    """
    try:
        path = path.resolve()
        source = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{what}: the file cannot be read ({error.strerror}): check the path") from None
    except ValueError as error:  # a null character
        raise UsageError(f"{what!r}: this is no path ({error}): check it") from None
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape") + b"\0" + source).hexdigest()
    name = f"bufferproof_file_{digest[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    try:
        # Compiled here rather than by the import system, whose cache takes two edits within a second for one.
        code = compile(source, str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{what} does not import: {describe(error)}{_where(error, path)}") from None
    return _run_file(name, code, what)


def _run_file(name: str, code: CodeType, what: str) -> ModuleType:
    """A module of this code, its folder importable meanwhile. Raises `UsageError`, and is then not in `sys.modules`."""
    path = Path(code.co_filename)
    module = ModuleType(name)
    vars(module).update(__file__=str(path), __code__=code)
    root = path.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    module.__package__ = ".".join(path.parent.relative_to(root).parts)
    sys.modules[name] = module  # before it runs: dataclasses and pickle look it up there
    before = set(sys.modules)
    folders = list(dict.fromkeys([str(path.parent), str(root)]))
    sys.path[:0] = folders
    try:
        exec(code, module.__dict__)
    except BaseException as error:
        del sys.modules[name]  # whatever ended it: half a module must not be found there later
        if not isinstance(error, Exception | SystemExit):
            raise
        raise UsageError(f"{what} does not import: {describe(error)}{_where(error, path)}") from None
    finally:
        for folder in folders:
            sys.path.remove(folder)
        _forget_siblings(before, folders)
    return module


def _forget_siblings(before: set[str], folders: Sequence[str]) -> None:
    """Drop what was imported from the folders, so that another folder's file of the same name is not taken for it.

    What lies deeper, in a virtual environment of the project say, stays: not every library can be imported twice.
    """
    new = {name: sys.modules[name] for name in set(sys.modules) - before}
    for name, module in new.items():
        top = new.get(name.partition(".")[0], module)
        places = [getattr(top, "__file__", None), *getattr(top, "__path__", ())]
        if any(place is not None and str(Path(place).parent) in folders for place in places):
            del sys.modules[name]


def _where(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError):
        return f" (line {error.lineno})" if error.lineno and str(error.lineno) not in str(error) else ""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" (line {lines[-1]})" if lines else ""


def _class_of(module: ModuleType, class_name: str, spec: str) -> type[Strategy]:
    found = vars(module).get(class_name)
    if found is None:
        have = [name for name, value in vars(module).items() if _looks_like_a_strategy(value, module)]
        hint = f"it has {', '.join(have)}" if have else "it has no class with a receive method"
        missing = f"there is no class {class_name} in the file" if class_name else "add :ClassName"
        raise UsageError(f"strategy {spec}: {missing}; {hint}")
    if not isinstance(found, type):
        raise UsageError(f"strategy {spec}: {class_name} is not a class")
    _check_methods(found, spec)
    strategy = found if issubclass(found, Strategy) else _completed(found, spec)
    if missing_methods := sorted(strategy.__abstractmethods__):
        raise UsageError(f"strategy {spec}: {class_name} lacks {', '.join(missing_methods)}")
    _check_attributes(strategy, spec)
    return strategy


def _looks_like_a_strategy(value: Any, module: ModuleType) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__ and hasattr(value, "receive")


def _check_methods(found: type, spec: str) -> None:
    receive = getattr(found, "receive", None)
    if receive is None or getattr(receive, "__isabstractmethod__", False):
        raise UsageError(f"strategy {spec}: {found.__name__} lacks async def receive(self, message)")
    for name, arguments in _METHODS.items():
        method = getattr(found, name, None)
        if method is not None and not inspect.iscoroutinefunction(method):
            raise UsageError(f"strategy {spec}: {found.__name__}.{name} is not async: make it async def {name}")
        if method is not None and not _takes(method, arguments + 1):
            raise UsageError(
                f"strategy {spec}: {found.__name__}.{name} must take self and {arguments} more argument(s)"
            )


def _takes(function: Callable[..., Any], arguments: int) -> bool:
    try:
        inspect.signature(function).bind(*[None] * arguments)
    except TypeError:
        return False
    return True


def _completed(found: type, spec: str) -> type[Strategy]:
    """The class with what it lacks taken from `Strategy`."""
    try:
        completed: type[Strategy] = type(found.__name__, (found, Strategy), {"__module__": found.__module__})
    except TypeError as error:
        raise UsageError(f"strategy {spec}: {describe(error)}: derive it from engine.buffer.Strategy") from None
    return completed


def _check_attributes(strategy: type[Strategy], spec: str) -> None:
    if not _takes(strategy, 1):
        raise UsageError(f"strategy {spec}: {strategy.__name__}.__init__ must take self and the runtime")
    if not strategy.name:
        strategy.name = strategy.__name__
    tick_ms: Any = strategy.tick_ms
    if tick_ms is not None and (not isinstance(tick_ms, int) or isinstance(tick_ms, bool) or tick_ms <= 0):
        raise UsageError(f"strategy {spec}: tick_ms must be a whole number of milliseconds above 0, or None")
    shared_keys: Any = strategy.shared_keys
    if not isinstance(shared_keys, set | frozenset) or not all(isinstance(key, str) for key in shared_keys):
        raise UsageError(f"strategy {spec}: shared_keys must be a frozenset of key names")
    settings: Any = strategy.default_settings
    if not isinstance(settings, Mapping):
        raise UsageError(f"strategy {spec}: default_settings must be a mapping of setting names to values")
