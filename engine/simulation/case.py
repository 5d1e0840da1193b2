"""A case: everything about one run but its choices, as a pure value that can be written down, shrunk and replayed."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from engine.simulation.parts import checked, part

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

#: More functions than this are no case but a slip.
FUNCTIONS_MAX = 1_000


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
        """The case that `to_json` wrote. Raises `ValueError`, which names the field, if it is none."""
        _check_names(plain, cls, "case")
        values = {name: _tuples(value) for name, value in plain.items() if name not in ("sendings", "settings")}
        settings = checked(plain.get("settings", {}), dict, "case.settings")
        for name, value in settings.items():
            if isinstance(value, list | dict):
                raise ValueError(
                    f"case.settings.{name} is {json.dumps(value)[:60]}, not a text, a number, true or false"
                )
        sendings = []
        for index, each in enumerate(part(plain, "sendings", list, "case.")):
            where = f"case.sendings[{index}]"
            _check_names(checked(each, dict, where), Sending, where)
            repeats = checked(each.get("repeats_ms", []), list, f"{where}.repeats_ms")
            sendings.append(Sending(**{**each, "repeats_ms": tuple(repeats)}))
        case = cls(sendings=tuple(sendings), settings=dict(settings), **values)
        problem = next(_problems(case), None)
        if problem is not None:
            raise ValueError(f"case.{problem}")
        return case


def _check_names(plain: Mapping[str, Any], of: type, where: str) -> None:
    """Raise `ValueError` if a field of a dataclass is missing, or one is there that it does not have."""
    known = {each.name: each.default is MISSING and each.default_factory is MISSING for each in fields(of)}
    for name in plain:
        if name not in known:
            raise ValueError(f"{where}.{name} is no field that is known here")
    for name, is_needed in known.items():
        if is_needed and name not in plain:
            raise ValueError(f"{where}.{name} is missing")


def _problems(case: Case) -> Iterator[str]:
    """What no run could be made of, a field each."""
    if not case.sendings:
        yield "sendings is empty: a run needs a message"
    for index, sending in enumerate(case.sendings):
        for name, (is_right, words) in _RULES_OF_SENDINGS.items():
            value = getattr(sending, name)
            if not is_right(value):
                yield f"sendings[{index}].{name} is {json.dumps(value)}, not {words}"
    for name, (is_right, words) in _RULES.items():
        value = getattr(case, name)
        if not is_right(value):
            yield f"{name} is {json.dumps(value)}, not {words}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_whole(value) and value >= 0


def _is_count_or_none(value: Any) -> bool:
    return value is None or _is_count(value)


def _is_window(value: Any) -> bool:
    return _all(value, _is_count) and len(value) == 2 and value[0] <= value[1]


def _all(value: Any, is_right: Callable[[Any], bool]) -> bool:
    return isinstance(value, tuple) and all(is_right(each) for each in value)


_COUNT = (_is_count, "a whole number of 0 or more")
_COUNT_OR_NONE = (_is_count_or_none, "a whole number of 0 or more, or null")
_WINDOW = (_is_window, "a least and a most of 0 or more")
_SWITCH = (lambda value: isinstance(value, bool), "true or false")
_NUMBERS = (lambda value: _all(value, _is_whole), "a list of whole numbers")

#: What a field must be, and how that is said.
_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "functions": (lambda value: _is_count(value) and 1 <= value <= FUNCTIONS_MAX, f"1 to {FUNCTIONS_MAX:,}"),
    "hop_ms": _WINDOW,
    "processor_ms": _WINDOW,
    "outages_ms": (lambda value: _all(value, _is_window), "a list of pairs, of a begin and an end"),
    "endpoint_failures": _COUNT,
    "provider_retries": _COUNT,
    "fault_budget": _COUNT,
    "heal_ms": _COUNT,
    "holds_until_ms": _COUNT,
    "rollout_at_ms": _COUNT,
    "retire_after_ms": _COUNT_OR_NONE,
    "holds_max": _COUNT_OR_NONE,
    "clock_offsets_ms": _NUMBERS,
    "clock_drifts_ppm": _NUMBERS,
    "instants_ms": _NUMBERS,
    "faults": (lambda value: _all(value, (*FAULTS, *DAGGER_FAULTS).__contains__), "a list of kinds of fault"),
    "processor_failures": (
        lambda value: _all(value, (*PROCESSOR_FAILURES, "ok").__contains__),
        f"a list of ok, {', '.join(PROCESSOR_FAILURES)}",
    ),
    "fault_rate": (lambda value: isinstance(value, int | float) and 0 <= value <= 1, "0 to 1"),
    "scenario": (_is_text, "a text"),
    "rollout_from": (lambda value: value is None or _is_text(value), "a strategy's name, or null"),
    "judged": (lambda value: value is None or _all(value, _is_text), "a list of invariants, or null"),
    "random_seed": (_is_whole, "a whole number"),
    "cluster": _SWITCH,
    "scripts_cached": _SWITCH,
}


_TEXT = (_is_text, "a text")
_RULES_OF_SENDINGS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "at_ms": _COUNT,
    "repeats_ms": (lambda value: _all(value, _is_count), "a list of whole numbers of 0 or more"),
    **dict.fromkeys(("instance_name", "user_phone", "message_id", "text", "label"), _TEXT),
}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value
