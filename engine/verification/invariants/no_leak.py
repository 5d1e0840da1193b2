"""`no_leak`: after healing and the longest TTL, no key is left but those that the strategy shares."""

from collections.abc import Iterable

from engine.verification.facts import Facts
from engine.verification.verdict import LOST, Finding, Violation

NAME = "no_leak"
_SHOWN = 3


def judge(facts: Facts) -> Finding:
    """Compare the keys at the end with `shared_keys`: exact names, or a prefix where one ends with `*`.

    Where a message is lost, what is left is taken for a consequence (nobody came for it), but for a key with the names of a
    conversation that lost none.
    """
    if facts.end is None or not facts.complete:
        return Finding(applicable=False)
    shared: list[str] = facts.start.get("shared_keys") or []
    left = sorted(key for key in facts.end["keys"] if not is_shared(key, shared))
    if not left:
        return Finding(applicable=True)
    shown = ", ".join(left[:_SHOWN]) + (f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else "")
    last = len(facts.history) - 1
    lost = [] if any(_of_one_without_loss(facts, key) for key in left) else facts.lost
    told = f"{len(left)} {'key is' if len(left) == 1 else 'keys are'} left at the end, at {facts.at(last)}: {shown}"
    if lost:
        told += f"; {lost[0].label} is lost"
    events = (*_last_writes(facts, left[0]), last)
    violation = Violation(NAME, told, events, tuple(m.label for m in lost), LOST if lost else None)
    return Finding(applicable=True, violations=(violation,))


def _of_one_without_loss(facts: Facts, key: str) -> bool:
    harmed = {message.conversation for message in facts.lost}
    return any(all(name and name in key for name in names) and names not in harmed for names in facts.talks)


def is_shared(key: str, shared: Iterable[str]) -> bool:
    """Whether the strategy named this key, or a prefix of it followed by `*`, as one that may stay."""
    return any(key.startswith(name[:-1]) if name.endswith("*") else key == name for name in shared)


def _last_writes(facts: Facts, key: str) -> tuple[int, ...]:
    for index in range(len(facts.history) - 1, -1, -1):
        if key in facts.history[index].get("writes", ()):
            return (index,)
    return ()
