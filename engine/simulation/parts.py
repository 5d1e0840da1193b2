"""The parts of a JSON document, each of the type that it must have: what is missing or wrong is named by its path."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")

_WORDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a whole number"}
_SHOWN = 60


def part(plain: Mapping[str, Any], name: str, kind: type[T], where: str = "") -> T:
    """What an object has under a name. `where` is the object's own path. Raises `ValueError`."""
    if name not in plain:
        raise ValueError(f"{where}{name} is missing")
    return checked(plain[name], kind, f"{where}{name}")


def checked(value: Any, kind: type[T], where: str) -> T:
    """The value, if it is of this type. Raises `ValueError`."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        text = json.dumps(value)
        raise ValueError(f"{where} is {text[:_SHOWN]}{'…' * (len(text) > _SHOWN)}, not {_WORDS[kind]}")
    return value
