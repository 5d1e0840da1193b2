"""What a judge says: three-valued verdicts, and violations with the events that conflict."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

#: The cause of what only follows from a loss, as what is late for ever: `no_loss` has more to say of it.
LOST = "loss"


class Verdict(StrEnum):
    """Violated beats unknown beats holds."""

    HOLDS = "holds"
    UNKNOWN = "unknown"
    VIOLATED = "violated"


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict over many: violated if one is, else unknown if one is or there is none, else holds."""
    seen = set(verdicts)
    if Verdict.VIOLATED in seen:
        return Verdict.VIOLATED
    return Verdict.HOLDS if seen == {Verdict.HOLDS} else Verdict.UNKNOWN


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which a history breaks an invariant.

    `explanation` is one sentence; `events` are the positions in the history of the two to four events that conflict;
    `messages` are the labels of the messages concerned; `cause` is the named race that explains it, if one does.
    """

    invariant: str
    explanation: str
    events: tuple[int, ...]
    messages: tuple[str, ...] = ()
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One invariant judged on one history.

    `applicable` is false where the invariant says nothing about this history; its verdict is then `unknown` and is left
    out when verdicts are combined. `error` says why a judge itself failed.
    """

    invariant: str
    verdict: Verdict
    applicable: bool
    violations: tuple[Violation, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What one judge found; `ruled_out` if this history can never be judged by it, however it would go on."""

    applicable: bool
    violations: tuple[Violation, ...] = ()
    ruled_out: bool = False


RULED_OUT = Finding(applicable=False, ruled_out=True)
