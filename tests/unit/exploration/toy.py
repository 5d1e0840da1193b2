"""A program without a world: actors that take their steps one after the other, and a bug that shows in one order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.exploration.scheduler import Access, Choices, Scheduler


@dataclass(frozen=True, eq=False)
class Named:
    """A pending step of which no more than its name matters."""

    name: str
    actor: str = ""
    kind: str = "hop"
    identity: int = 0
    cause: int = 0


@dataclass(frozen=True)
class Turn:
    """A pending step of an actor."""

    name: str
    actor: str
    identity: int
    kind: str = "hop"
    cause: int = 0


#: How many faults may strike in a run.
BUDGET = 3


def play(
    actors: Mapping[str, int], scheduler: Scheduler, key: str = "", sites: Sequence[str] = ()
) -> tuple[str, dict[str, int]]:
    """Let each actor take its steps: the order of the actors, and what deviated. With a `key`, all steps write it.

    At each of the `sites` (`a2`: the second step of a) a fault may strike: it shows as an exclamation mark.
    """
    choices, taken, order = Choices(scheduler), dict.fromkeys(actors, 0), ""
    while pending := [
        Turn(f"{actor}{taken[actor] + 1}", actor, hash((place, taken[actor])))
        for place, (actor, count) in enumerate(actors.items())
        if taken[actor] < count
    ]:
        step = pending[choices.next_step(pending)]
        taken[step.actor] += 1
        order += step.actor
        if step.name in sites:
            left = BUDGET - order.count("!")
            order += "!" * choices.number(
                step.actor, f"fault {step.name}", 0, 1, shape="rate:0.01", options=("crash",), left=left
            )
        if choices.observer is not None:
            following = hash((list(actors).index(step.actor), taken[step.actor]))
            touched: set[Access] = {("program", step.actor, True), ("step", str(following), True)}
            choices.observer.took(step, frozenset(touched | ({("redis", key, True)} if key else set())), ())
    if choices.observer is not None:
        choices.observer.end_run()
    return order, choices.deviations
