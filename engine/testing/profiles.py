"""Profiles for Hypothesis, for property tests over whole interleavings: `pytest --hypothesis-profile bufferproof-ci`.

`bufferproof` has few examples and new ones every time, `bufferproof-ci` the same ones every time, `bufferproof-nightly` many.
None has a deadline, which would judge the machine and not the buffer.
"""

from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def register() -> None:
    """Register them with Hypothesis."""
    settings.register_profile("bufferproof", max_examples=50, deadline=None, suppress_health_check=_SLOW)
    settings.register_profile(
        "bufferproof-ci",
        max_examples=100,
        deadline=None,
        derandomize=True,
        print_blob=True,
        suppress_health_check=_SLOW,
    )
    settings.register_profile(
        "bufferproof-nightly", max_examples=5_000, deadline=None, print_blob=True, suppress_health_check=_SLOW
    )
