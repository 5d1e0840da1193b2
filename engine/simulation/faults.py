"""Whether a fault strikes at this point: a recorded choice at every place where one could, within a budget a run."""

from collections.abc import Callable, Sequence
from typing import Any

from engine.exploration.scheduler import Choices
from engine.simulation.case import Case

#: Pauses and stalls last this long at most.
LONGEST_PAUSE_MS = 300_000


class Faults:
    """The faults of one run."""

    def __init__(
        self,
        case: Case,
        choices: Choices,
        record: Callable[..., None],
        now_ms: Callable[[], int],
        touch: Callable[[str, str], None],
    ) -> None:
        self._kinds = frozenset(case.faults)
        self._budget = case.fault_budget if case.faults else 0
        self._heal_ms = case.heal_ms
        self._shape = f"rate:{case.fault_rate}"
        self._choices = choices
        self._record = record
        self._now_ms = now_ms
        self._touch = touch

    @property
    def armed(self) -> bool:
        """Whether another fault may strike."""
        return self._budget > 0 and self._now_ms() < self._heal_ms

    def heal(self) -> None:
        """No more faults."""
        self._budget = 0

    def strike(self, site: str, actor: str, kinds: Sequence[str], **where: Any) -> str | None:
        """The kind of fault that strikes here, or None. `site` names the point stably, `kinds` is what could."""
        if not self.armed:
            return None
        possible = [kind for kind in kinds if kind in self._kinds]
        if not possible:
            return None
        index = self._choices.number(
            f"fault/{actor}",
            f"fault {site}",
            0,
            len(possible),
            shape=self._shape,
            options=tuple(possible),
            left=self._budget,
        )
        if index == 0:
            return None
        self._budget -= 1
        self._touch("bound", "faults")
        kind = possible[index - 1]
        self._record("fault", kind=kind, site=site, actor=actor, **where)
        return kind

    def number(
        self,
        what: str,
        actor: str,
        low: int,
        high: int,
        *,
        default: int | None = None,
        shape: str = "log_uniform",
        base_ms: int = 0,
    ) -> int:
        """How long, how far: a property of a fault that has struck."""
        return self._choices.number(f"fault/{actor}", what, low, high, default=default, shape=shape, base_ms=base_ms)

    def which(self, what: str, actor: str, count: int) -> int:
        """Which of `count` alternatives, from 0: a property of a fault that has struck."""
        return self.number(what, actor, 0, count - 1, shape="uniform")

    def stall_ms(self, site: str, actor: str, hop_ms: tuple[int, int]) -> int:
        """How long a stalled hop takes beyond its window."""
        return self.number(f"stall {site}", actor, 700, LONGEST_PAUSE_MS, default=6_000, base_ms=hop_ms[1])
