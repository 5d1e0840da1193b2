"""The bursts of recorded messages: one conversation's messages, cut where it is silent for long."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

from engine.simulation.case import Sending
from scenarios.workload import read_workload

#: A silence of this length ends a burst: by then every buffer has been answered.
SILENCE_MS = 120_000


@cache
def recorded_bursts(path: str) -> tuple[tuple[Sending, ...], ...]:
    """The bursts of a workload file, each from time 0 on. Raises `UsageError`."""
    talks: dict[tuple[str, str], list[Sending]] = {}
    for sending in sorted(read_workload(Path(path)), key=lambda each: each.at_ms):
        talks.setdefault((sending.instance_name, sending.user_phone), []).append(sending)
    return tuple(tuple(part) for talk in talks.values() for part in _cut(talk))


def _cut(talk: list[Sending]) -> Iterator[list[Sending]]:
    cuts = [index + 1 for index, (one, next_) in enumerate(pairwise(talk)) if next_.at_ms - one.at_ms > SILENCE_MS]
    for start, stop in pairwise([0, *cuts, len(talk)]):
        first_ms = talk[start].at_ms
        yield [replace(sending, at_ms=sending.at_ms - first_ms) for sending in talk[start:stop]]
