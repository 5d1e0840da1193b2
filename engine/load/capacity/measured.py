"""The service times of a design, from a row of a load's result file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.buffer.errors import UsageError
from engine.load.capacity.designs import DESIGNS, TICK_REQUEST, TICK_SECONDS, Request, Requests


@dataclass(frozen=True)
class Measured:
    """What a load has measured of one design, per request and per step.

    A step of a function is a call that it serves or a request that it sends; its CPU is shared out over them evenly, for a load
    knows only the sum. `hop_us`: what a request takes beyond the server's and the function's CPU: the network and the waits for
    a CPU, which on a machine that does everything are most of it.
    """

    strategy: str
    command_us: Mapping[str, float]
    #: The server's CPU for a request beyond its commands: reading, parsing, answering.
    request_us: float
    function_step_us: float
    hop_us: float
    messages_per_batch: float
    requests_per_message: float
    modelled_requests_per_message: float

    @property
    def requests(self) -> Requests:
        """The design's round trips."""
        return DESIGNS[self.strategy]

    def server_us(self, request: Request) -> float:
        """The server's time for one round trip."""
        return self.request_us + sum(self.of_command(command) for command in request)

    def of_command(self, command: str) -> float:
        """Microseconds of the server for one call; of one that the load never sent, the mean of the others."""
        known = self.command_us
        return known.get(command, sum(known.values()) / max(1, len(known)))


def measured(row: Mapping[str, Any], settings: Mapping[str, Any]) -> Measured:
    """What a row says. Raises `UsageError` for one that lacks the server's figures, or is of a design not known here."""
    strategy = str(row["strategy"])
    if strategy not in DESIGNS:
        raise UsageError(f"the load's row of {strategy}: its requests are not known here: {', '.join(DESIGNS)} are")
    redis, batch = row["redis"], row["messages_per_batch"]
    if redis is None or not batch:
        raise UsageError(
            f"the load's row of {strategy} has no figures of the server or no batches: run it without --chaos"
        )
    requests = DESIGNS[strategy]
    visits = requests_per_message(requests, batch, row, settings)
    own = {request: count for request, count in visits.items() if count}
    command_us = {name: float(stats["usec_per_call"]) for name, stats in redis["commandstats"].items()}
    # SETEX unscaled, PSETEX scaled: one and the same here.
    command_us.setdefault("psetex", command_us.get("setex", 0.0))
    in_commands = sum(
        count * sum(command_us.get(command, 0.0) for command in request) for request, count in own.items()
    )
    total = sum(own.values())
    request_us = max(0.0, redis["cpu_us_per_message"] - in_commands) / total
    calls = 1 + 1 / batch  # the webhook call, and its share of the delivery
    step_us = row["service_cpu_us_per_message"] / (total + calls)
    add_us = (
        len(requests.add) * (request_us + step_us)
        + step_us
        + sum(sum(command_us.get(command, 0.0) for command in request) for request in requests.add)
    )
    hop_us = max(0.0, row["add_ms"]["p50"] * 1_000 - add_us) / (len(requests.add) + 1)
    used = {command: command_us[command] for request in own for command in request if command in command_us}
    return Measured(strategy, used, request_us, step_us, hop_us, batch, redis["requests_per_message"], total)


def requests_per_message(
    requests: Requests, batch: float, row: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[Request, float]:
    """How often each kind of round trip comes for each message, with the ticks of the load's processes."""
    visits: dict[Request, float] = {}
    for group, share in (
        (requests.add, 1.0),
        *((group, 1 / batch) for group in (requests.created, requests.before, requests.after, requests.confirmed)),
    ):
        for request in group:
            visits[request] = visits.get(request, 0.0) + share
    ticks_per_s = requests.tick * settings["processes"] / (TICK_SECONDS * settings["scale"])
    if ticks_per_s:
        visits[TICK_REQUEST] = visits.get(TICK_REQUEST, 0.0) + ticks_per_s / max(1e-9, row["accepted"] / row["seconds"])
    return visits
