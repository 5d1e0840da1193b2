"""Finding strategies and scenarios by what the user wrote."""

import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from engine.buffer.catalogue import BUILT_IN, load_file, load_strategy
from engine.buffer.errors import UsageError, choices
from engine.buffer.strategy import Strategy
from engine.exploration import SAMPLED, SEARCHES
from engine.simulation.bounds import BoundHit, Bounds, cpu_bound
from engine.simulation.case import DAGGER_FAULTS, FAULTS
from scenarios.catalogue import SCENARIOS
from scenarios.gallery import GALLERY
from scenarios.planted import PLANTED
from scenarios.scenario import Scenario
from scenarios.workload import workload_scenario

T = TypeVar("T")

#: A file that has computed for so long while it was imported (CPU time) is not waited for.
IMPORT_SECONDS = 30.0

POLICIES = (*SAMPLED, *SEARCHES, "portfolio")


@functools.cache
def find_strategy(spec: str) -> type[Strategy]:
    """A built-in strategy, a field design of the gallery, or `path/to/file.py:ClassName`. Raises `UsageError`."""
    named = {**GALLERY, **PLANTED}
    if spec in named:
        module, _, name = named[spec].partition(":")
        found: type[Strategy] = getattr(importlib.import_module(module), name)
        return found
    if ".py" not in spec and spec not in BUILT_IN:
        there = choices(spec, [*BUILT_IN, *GALLERY])
        raise UsageError(f"unknown strategy {spec}: {there}, or give path/to/file.py:ClassName")
    return _in_time(lambda: load_strategy(spec), f"strategy {spec}")


@functools.cache
def find_scenario(spec: str) -> Scenario:
    """A scenario of the catalogue, or `path/to/file.py:Name`, or `workload:FILE`. Raises `UsageError`."""
    if spec.startswith("workload:"):
        return workload_scenario(Path(spec.removeprefix("workload:")))
    if spec in SCENARIOS:
        return SCENARIOS[spec]
    path, colon, name = spec.rpartition(":")
    if colon and path.endswith(".py"):
        return _scenario_in(Path(path), name, spec)
    there = choices(spec, SCENARIOS, "bufferproof scenarios")
    raise UsageError(f"unknown scenario {spec}: {there}, or give path/to/file.py:Name")


def _scenario_in(path: Path, name: str, spec: str) -> Scenario:
    module = _in_time(lambda: load_file(path.expanduser(), f"scenario {spec}"), f"scenario {spec}")
    found = vars(module).get(name)
    if not isinstance(found, Scenario):
        there = ", ".join(n for n, value in vars(module).items() if isinstance(value, Scenario)) or "none"
        raise UsageError(f"scenario {spec}: {path.name} has no Scenario {name}: it has {there}")
    return found


def _in_time(load: Callable[[], T], what: str) -> T:
    """What a file from outside holds. Raises `UsageError` if it computes without an end as it is imported."""
    bounds = Bounds(cpu_seconds=IMPORT_SECONDS, what="it")
    try:
        with cpu_bound(bounds):
            return load()
    except BoundHit as bound:
        raise UsageError(
            f"{what} does not import: {bound}: let it define its class, and compute when it runs"
        ) from None


def chosen_faults(given: list[str] | None) -> tuple[str, ...] | None:
    """The kinds that `--fault` names; None: what each scenario says. Raises `UsageError`."""
    if given is None:
        return None
    for kind in given:
        if kind not in (kinds := ("none", "all", *FAULTS, *DAGGER_FAULTS)):
            raise UsageError(f"unknown fault {kind}: {choices(kind, kinds)}")
    if given == ["none"]:
        return ()
    return tuple(kind for kind in (*FAULTS, *DAGGER_FAULTS) if kind in given or ("all" in given and kind in FAULTS))
