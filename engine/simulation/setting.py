"""The settings of a simulated function: the strategy's defaults, the case's values over them, no environment."""

import functools
from collections.abc import Mapping
from typing import Any

from engine.buffer.settings import Settings
from engine.buffer.strategy import Strategy
from engine.simulation.http import FUNCTION_URL, PROCESSOR_URL


def settings_of(strategy: type[Strategy], given: Mapping[str, Any]) -> Settings:
    """The settings of a simulated function. Raises `UsageError` for a name or a value that is not one."""
    return _settings(strategy, tuple(given.items()))


@functools.lru_cache(maxsize=1_000)
def _settings(strategy: type[Strategy], given: tuple[tuple[str, Any], ...]) -> Settings:
    # Validating them takes longer than a short run.
    urls = {"BASE_URL": FUNCTION_URL, "PROCESSOR_URL": PROCESSOR_URL}
    return Settings.fixed(strategy.default_settings, {**dict(given), **urls})
