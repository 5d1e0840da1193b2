"""What counts as equal on the two servers, and which known differences were met.

Times that a server's own clock has put into an answer or a value (µs, 16 digits; waits; what is left of a TTL) may differ by
as much as the step took. Everything else must be equal, or be a known difference.
"""

import json
import math
import re
from collections import Counter
from typing import Any

#: A point in time in µs or ms, as scripts write it: the years 2001 to 2096.
_TIME = re.compile(rb"\b[1-3](\d{15}|\d{12})\b")


class Unequal(AssertionError):
    """Something differs that is in no table."""


class Comparison:
    """Compares, within a tolerance, and counts the known differences that it meets."""

    def __init__(self) -> None:
        self.met: Counter[str] = Counter()
        self.tolerance_us = 0

    def equal(self, what: str, one: Any, other: Any) -> None:
        """Raise `Unequal` unless the two are equal, or differ as known."""
        if not self.alike(one, other):
            raise Unequal(f"{what}\n  simulation: {one!r}\n  server:     {other!r}")

    def same_commands(self, one: list[list[str]], other: list[list[str]]) -> None:
        """The same commands in the same order; what follows a KEYS or a SCAN may come in the order of its answer."""
        names = {command[0] for command in one}
        if one != other and names & {"KEYS", "SCAN"} and sorted(one) == sorted(other):
            self.met["order of KEYS and SCAN"] += 1
            return
        self.equal("commands", one, other)

    def same_values(self, what: str, one: Any, other: Any) -> None:
        """The same for JSON values that have been through a script's `cjson`."""
        found: set[str] = set()
        if not _same_json(_as_json(one), _as_json(other), found):
            raise Unequal(f"{what}\n  simulation: {one!r}\n  server:     {other!r}")
        self.met.update(found)

    def alike(self, one: Any, other: Any) -> bool:
        """Whether two replies or values are equal, within the tolerance, or differ as known."""
        if isinstance(one, Exception) or isinstance(other, Exception):
            return self._errors(one, other)
        if isinstance(one, list | tuple) and isinstance(other, list | tuple):
            return len(one) == len(other) and all(map(self.alike, one, other))
        if isinstance(one, dict) and isinstance(other, dict):
            return len(one) == len(other) and all(
                self.alike(*pair) for pair in zip(sorted(one.items()), sorted(other.items()), strict=True)
            )
        if isinstance(one, bool) or isinstance(other, bool):
            return one is other
        if isinstance(one, int | float) and isinstance(other, int | float):
            return one == other or (min(abs(one), abs(other)) > 1_000 and abs(one - other) <= self.tolerance_us)
        if isinstance(one, str) and isinstance(other, str):
            one, other = one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass")
        if isinstance(one, bytes) and isinstance(other, bytes):
            return self._bytes(one, other)
        return bool(one == other)

    def _bytes(self, one: bytes, other: bytes) -> bool:
        if one == other:
            return True
        ours, theirs = ([match[0] for match in _TIME.finditer(value)] for value in (one, other))
        if len(ours) == len(theirs) and _TIME.sub(b"T", one) == _TIME.sub(b"T", other):
            return all(
                abs(int(a) - int(b)) <= self.tolerance_us / (1 if len(a) == 16 else 1_000)
                for a, b in zip(ours, theirs, strict=True)
            )
        return self._documents(one, other)

    def _documents(self, one: bytes, other: bytes) -> bool:
        """JSON that a script has written by `cjson`."""
        try:
            ours, theirs = json.loads(one), json.loads(other)
        except (ValueError, UnicodeDecodeError):
            return False
        if not isinstance(ours, dict):
            return False
        found: set[str] = set()
        if not _same_json(ours, theirs, found):
            return False
        self.met.update(found or {"order of members, spaces, escapes"})
        return True

    def _errors(self, one: Any, other: Any) -> bool:
        if isinstance(one, Exception) and isinstance(other, Exception) and type(one) is type(other):
            if str(one) != str(other):
                self.met["texts of errors"] += 1
            return True
        return False


def _same_json(one: Any, other: Any, found: set[str]) -> bool:
    if one in ([], {}) and other in ([], {}) and isinstance(one, list | dict):
        if one != other:
            found.add("empty list")
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same_json(one[name], other[name], found) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same_json(a, b, found) for a, b in zip(one, other, strict=True))
    if isinstance(one, bool) or isinstance(other, bool) or not isinstance(one, int | float):
        return type(one) is type(other) and bool(one == other)
    if not isinstance(other, int | float):
        return False
    if one != other:
        found.add("numbers")
        return math.isclose(one, other, rel_tol=1e-13)
    return True


def _as_json(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_as_json(each) for each in value]
    return value
