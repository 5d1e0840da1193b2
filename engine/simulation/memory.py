"""Whose memory a module's is: each function is a process, so what a design keeps in its modules or classes is that function's.

All functions of a run live in one interpreter. A design that keeps something outside its instance (a global, an attribute
of a class, a default argument) would share it between functions, keep it over a crash, and carry it from run to run.
Such a one gets its modules anew for each function.
"""

import ast
import dis
import functools
import inspect
import re
import sys
from collections.abc import Iterator
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import CodeType, FunctionType, GenericAlias, ModuleType, NoneType, UnionType
from typing import Any

from engine.buffer.catalogue import load_again, module_of
from engine.buffer.strategy import Strategy
from engine.simulation.guard import namespaces_from

_PLAIN = (str, bytes, int, float, complex, range, re.Pattern, date, time, timedelta, tzinfo, Decimal, Enum)
_FIXED = (*_PLAIN, NoneType, ModuleType, GenericAlias, UnionType, CodeType)
#: What a class body sets that nobody writes to.
_DECLARED = frozenset({"default_settings", "_abc_impl"})


def of_its_own(strategy: type[Strategy]) -> type[Strategy]:
    """The class for one more function: a copy, where its modules hold what functions must not share."""
    copied = load_again(strategy) if keeps_something(strategy) else None
    return copied or strategy


@functools.cache
def keeps_something(strategy: type[Strategy]) -> bool:
    """Whether a design from a file may keep something outside its instances.

    It is loaded once more to look at, in its first run: so a clock that it reads when it is imported is caught, too.
    """
    module = module_of(strategy)
    if module is None or load_again(strategy) is None:
        return False
    found = [
        names
        for names in namespaces_from([vars(module)])
        if names is vars(module) or names.get("__name__") not in sys.modules  # what it has imported from its folder
    ]
    return any(_holds_state(names) for names in found)


def _holds_state(names: dict[str, Any]) -> bool:
    for name, value in names.items():
        if not name.startswith("__") and not _is_fixed(value, names["__name__"]):
            return True
    code = names.get("__code__")
    if isinstance(code, CodeType) and _writes_globals(code, outermost=True):
        return True
    return _writes_to_classes(names)


def _is_fixed(value: Any, module: str) -> bool:
    """Whether it can hold nothing that changes."""
    if isinstance(value, FunctionType):
        defaults = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        return all(_is_fixed(each, module) for each in defaults)
    if isinstance(value, staticmethod | classmethod):
        return _is_fixed(value.__func__, module)
    if isinstance(value, property):
        return True
    if isinstance(value, type):
        return value.__module__ != module or all(_is_fixed(each, module) for each in _attributes(value))
    if isinstance(value, tuple | frozenset):
        return all(_is_fixed(each, module) for each in value)
    return isinstance(value, _FIXED) or inspect.ismemberdescriptor(value) or type(value).__module__ == "typing"


def _attributes(owner: type) -> Iterator[Any]:
    return (value for name, value in vars(owner).items() if not name.startswith("__") and name not in _DECLARED)


def _writes_globals(code: CodeType, *, outermost: bool) -> bool:
    if not outermost and any(each.opname in ("STORE_GLOBAL", "DELETE_GLOBAL") for each in dis.get_instructions(code)):
        return True
    return any(isinstance(each, CodeType) and _writes_globals(each, outermost=False) for each in code.co_consts)


def _writes_to_classes(names: dict[str, Any]) -> bool:
    """Whether a function sets an attribute of a class: `Mine.count += 1`, `type(self).count = 1`, `cls.count = 1`."""
    classes = {name for name, value in names.items() if isinstance(value, type)} | {"cls"}
    try:
        tree = ast.parse(Path(names["__file__"]).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return True
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            owner = node.value
            if isinstance(owner, ast.Name) and owner.id in classes:
                return True
            if isinstance(owner, ast.Attribute) and owner.attr == "__class__":
                return True
            if isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "type":
                return True
    return False
