"""What could be simpler in a failing run: the candidates of shrinking. Nothing here runs anything."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf
from typing import Any

from engine.simulation.case import Case, Sending
from scenarios.told import kind_of

Deviations = tuple[dict[str, int], dict[str, str]]
"""Numbers by their keys, and delays by the steps that wait."""

#: To so many moments is the arrival of a message moved; what happens within so short a time is one moment.
MOMENTS_MAX, CLOSE_MS = 8, 10

#: Rounder values to try for a field, in this order.
SIMPLER_FIELDS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("holds_max", (None,)),
    ("faults", ((),)),
    ("functions", (1, 2)),
    ("random_seed", (0,)),
    ("processor_failures", ((),)),
    ("endpoint_failures", (0, 1)),
    ("outages_ms", ((),)),
    ("clock_offsets_ms", ((),)),
    ("clock_drifts_ppm", ((),)),
    ("retire_after_ms", (None, 0)),
    ("provider_retries", (0, 1)),
    ("hop_ms", ((1, 1), (1, 100), (1, 600))),
    ("processor_ms", ((1_000, 1_000), (1_000, 5_000), (5_000, 5_000), (30_000, 30_000))),
)

#: A message's label in the name of what the provider does.
_LABELLED = re.compile(r"(\bprovider (?:sends |retries )?)([^\s#]+)")


def items_of(deviations: Deviations) -> list[Any]:
    """Each deviation as something that can be left out: a number's key, or a tuple of the step that waits."""
    return [*deviations[0], *((waiting,) for waiting in deviations[1])]


def only(deviations: Deviations, kept: Collection[Any]) -> Deviations:
    """The deviations without those that are not kept."""
    numbers, delays = deviations
    wanted = set(kept)
    return (
        {key: value for key, value in numbers.items() if key in wanted},
        {waiting: awaited for waiting, awaited in delays.items() if (waiting,) in wanted},
    )


def kind_of_item(item: Any) -> str:
    """What an item decides: a delay, or what its number does."""
    return "delay" if isinstance(item, tuple) else kind_of(item)


def with_sending(case: Case, index: int, sending: Sending) -> Case:
    """The case with another sending in place of this one."""
    sendings = list(case.sendings)
    sendings[index] = sending
    return replace(case, sendings=tuple(sendings))


def simpler_sendings(sending: Sending, index: int) -> Iterator[Sending]:
    """The same message with less in it."""
    if sending.data is not None:
        yield replace(sending, data=None)
    if sending.repeats_ms:
        yield replace(sending, repeats_ms=())
        yield replace(sending, repeats_ms=sending.repeats_ms[:1])
    plain = f"text {index + 1}"
    if sending.text != plain:
        yield replace(sending, text=plain)


def relabelled(case: Case, deviations: Deviations) -> tuple[Case, Deviations]:
    """The messages that are left as m1, m2, …: their labels stand in the keys of what the provider does."""
    names = {sending.label: f"m{number}" for number, sending in enumerate(case.sendings, 1)}

    def renamed(key: str) -> str:
        return _LABELLED.sub(lambda match: match[1] + names.get(match[2], match[2]), key)

    numbers, delays = deviations
    return replace(case, sendings=tuple(replace(s, label=names[s.label]) for s in case.sendings)), (
        {renamed(key): value for key, value in numbers.items()},
        {renamed(waiting): renamed(awaited) for waiting, awaited in delays.items()},
    )


def arrival_ms(history: Sequence[dict[str, Any]], label: str) -> int:
    """When a message first arrived anywhere; 0: never."""
    calls = {each["call"] for each in history if each["event"] == "webhook.sent" and each["label"] == label}
    return next((e["t"] for e in history if e["event"] == "webhook.arrived" and e["call"] in calls), 0)


def moments_of(history: Sequence[dict[str, Any]]) -> list[int]:
    """Moments that may matter to a message: when something was written or ended; of those close together, the last."""
    changes = [e["t"] for e in history if e["event"] == "key.expired" or e.get("writes")]
    return [t for t, later in pairwise([*changes, inf]) if later - t >= CLOSE_MS][:MOMENTS_MAX]


def beyond_horizon(case: Case, horizon_ms: int) -> set[tuple[str, ...]]:
    """The messages that are sent again later than the horizon after they were first sent."""
    times: dict[tuple[str, ...], list[int]] = {}
    for sending in case.sendings:
        sent = times.setdefault((sending.instance_name, sending.user_phone, sending.message_id), [])
        sent += (sending.at_ms, *(sending.at_ms + repeat_ms for repeat_ms in sending.repeats_ms))
    return {message for message, sent in times.items() if max(sent) - min(sent) > horizon_ms}
