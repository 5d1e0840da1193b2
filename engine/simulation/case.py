"""A case: everything about one run but its choices, as a pure value that can be written down, shrunk and replayed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

FAULTS = (
    "stall",
    "request_lost",
    "reply_lost",
    "crash",
    "pause",
    "clock_skew",
    "restart",
    "unreachable",
    "script_flush",
    "processor_failure",
    "webhook_repeated",
    "delivery_repeated",
)
#: Beyond what any design on one Redis can survive.
DAGGER_FAULTS = ("restart_data_lost", "eviction", "processor_too_slow")

PROCESSOR_FAILURES = ("error_500", "says_failed", "refused", "timed_out", "answer_lost", "slow")


@dataclass(frozen=True, kw_only=True)
class Sending:
    """One message that the provider sends at `at_ms`, and again `repeats_ms` after that."""

    at_ms: int
    instance_name: str = "bot"
    user_phone: str = "4915110000001"
    message_id: str
    text: str
    data: Any = None
    label: str
    repeats_ms: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Case:
    """One situation. Windows are `(min, max)` in milliseconds; times count from the start of the run."""

    sendings: tuple[Sending, ...]
    scenario: str = ""
    functions: int = 3
    hop_ms: tuple[int, int] = (1, 600)
    processor_ms: tuple[int, int] = (1_000, 5_000)
    #: How the first hand-overs end, in order (`PROCESSOR_FAILURES`, or "ok").
    processor_failures: tuple[str, ...] = ()
    #: The first deliveries that the platform answers with 503 without reaching a function.
    endpoint_failures: int = 0
    #: How often the provider sends a message again that was not answered 2xx.
    provider_retries: int = 0
    #: A function is retired this long after it answered a webhook call (its timers are gone). None: never.
    retire_after_ms: int | None = None
    clock_offsets_ms: tuple[int, ...] = ()
    clock_drifts_ppm: tuple[int, ...] = ()
    #: Intervals in which Redis cannot be reached.
    outages_ms: tuple[tuple[int, int], ...] = ()
    #: The kinds of fault that the scheduler may place, and how many in all.
    faults: tuple[str, ...] = ()
    fault_budget: int = 0
    fault_rate: float = 0.02
    #: From here on no fault strikes.
    heal_ms: int = 0
    instants_ms: tuple[int, ...] = (7_500, 8_000, 8_500)
    #: For exhaustive search: how many hops and ends of work may be held in all (None: any), and until when hops take time.
    #: With a number the run is coarse: see `engine/simulation/agenda.py`.
    holds_max: int | None = None
    holds_until_ms: int = 0
    #: A command whose keys lie in two hash slots is refused, as by a cluster.
    cluster: bool = False
    #: The server knows the strategy's scripts already, as one does that has served it before: no `NOSCRIPT` at first.
    scripts_cached: bool = False
    #: The functions run the other strategy of the pair until this time; then these stop.
    rollout_from: str | None = None
    rollout_at_ms: int = 0
    #: Values for names of `Settings`, over the strategy's defaults.
    settings: Mapping[str, Any] = field(default_factory=dict)
    #: What the functions' own randomness (`runtime.random`: jitter, tokens) is seeded with, besides their names.
    random_seed: int = 0
    #: The invariants that are judged; None: all.
    judged: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """This case as a JSON object; fields at their default are left out."""
        plain: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "sendings":
                plain["sendings"] = [{f.name: getattr(s, f.name) for f in fields(s)} for s in value]
            elif each.name == "settings":
                if value:
                    plain["settings"] = dict(value)
            elif value != each.default:
                plain[each.name] = value
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Case":
        """The case that `to_json` wrote. Raises `TypeError`, `KeyError` or `ValueError` if it is none."""
        values = {name: _tuples(value) for name, value in plain.items() if name not in ("sendings", "settings")}
        sendings = tuple(
            Sending(**(each | {"repeats_ms": tuple(each.get("repeats_ms", ()))})) for each in plain["sendings"]
        )
        return cls(sendings=sendings, settings=dict(plain.get("settings", {})), **values)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value
