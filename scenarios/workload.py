"""Messages from a file, so that an incident from a log can be tried: one JSON object a line."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.buffer.errors import UsageError
from engine.simulation.case import Case, Sending
from scenarios.catalogue.drawing import case
from scenarios.scenario import Scenario

_TEXT_FIELDS = ("instance_name", "user_phone", "message_id", "text")


def read_workload(path: Path) -> tuple[Sending, ...]:
    """The messages of a file, from the first one's time on. Raises `UsageError` naming the first bad line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # a text may hold other line separators as they are
    except OSError as error:
        raise UsageError(f"workload {path}: {error.strerror}: check the path") from None
    except UnicodeDecodeError:
        raise UsageError(f"workload {path}: this is not UTF-8 text: give JSON lines") from None
    sendings: list[Sending] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            sendings.append(_sending(line, f"workload {path}, line {number}", len(sendings) + 1))
    if not sendings:
        raise UsageError(f"workload {path}: nothing in it: give a JSON object a line")
    first_ms = min(sending.at_ms for sending in sendings)
    return tuple(replace(sending, at_ms=sending.at_ms - first_ms) for sending in sendings)


def _sending(line: str, where: str, number: int) -> Sending:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: this is not JSON ({error})") from None
    if not isinstance(fields, dict):
        raise UsageError(f"{where}: this is no JSON object")
    for name in _TEXT_FIELDS:
        if not isinstance(fields.get(name), str):
            raise UsageError(f"{where}: {name} is missing or no text")
    return Sending(
        at_ms=_at_ms(fields, where),
        **{name: fields[name] for name in _TEXT_FIELDS},
        data=fields.get("data"),
        label=f"m{number}",
    )


def _at_ms(fields: dict[str, Any], where: str) -> int:
    at_ms = fields.get("sent_at_ms")
    if at_ms is None and isinstance(fields.get("sent_at"), str):
        try:
            sent_at = datetime.fromisoformat(fields["sent_at"])
            if sent_at.tzinfo is None:
                sent_at = sent_at.replace(tzinfo=UTC)  # not the zone of the machine that happens to read it
            at_ms = round(sent_at.timestamp() * 1000)
        except ValueError:
            raise UsageError(f"{where}: sent_at {fields['sent_at']!r} is no ISO time") from None
    if isinstance(at_ms, bool) or not isinstance(at_ms, (int, float)) or at_ms != at_ms:
        raise UsageError(f"{where}: sent_at_ms (a number) or sent_at (an ISO time) is missing")
    if not 0 <= at_ms < 1e15:
        raise UsageError(f"{where}: the time {at_ms} is negative or out of range")
    return int(at_ms)


def workload_scenario(path: Path) -> Scenario:
    """A scenario that tries the messages of a file again and again, under ever other choices."""
    sendings = read_workload(path)

    def sample(_rng: random.Random, _strategy: str) -> Case:
        return case(sendings)

    return Scenario(name="workload", summary=f"the messages of {path.name}", sample=sample)
