"""Which source files are a strategy's, and which a library's or the simulator's own."""

import functools
import sysconfig
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[2]
_LIBRARY = tuple(
    Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")
) + tuple(_PROJECT / "engine" / room for room in ("simulation", "exploration", "verification", "cli", "testing"))


@functools.cache
def is_design_file(filename: str) -> bool:
    """Whether a strategy's file is a design's own, not what the engine's buffer puts around every design."""
    return is_strategy_file(filename) and Path(filename).resolve().parent != _PROJECT / "engine" / "buffer"


@functools.cache
def is_strategy_file(filename: str) -> bool:
    """Whether code of this file is a strategy's: not a library's, not the simulator's."""
    if filename.startswith("<"):  # generated code, such as a dataclass's
        return False
    path = Path(filename).resolve()
    installed = "site-packages" in path.parts or "dist-packages" in path.parts  # also a user's, or another prefix's
    return not installed and not any(path.is_relative_to(folder) for folder in _LIBRARY)
