"""The invariants, a module each. A judge reads `Facts` alone and says what it found."""

from collections.abc import Callable

from engine.verification.facts import Facts
from engine.verification.invariants import (
    available,
    batch_stable,
    buffered,
    integrity,
    isolation,
    no_duplicate,
    no_leak,
    no_loss,
    one_at_a_time,
    order,
    status_true,
    timely,
)
from engine.verification.verdict import Finding

#: In the order in which they are shown: what must not happen to a message first.
JUDGES: dict[str, Callable[[Facts], Finding]] = {
    module.NAME: module.judge
    for module in (
        no_loss,
        no_duplicate,
        batch_stable,
        order,
        one_at_a_time,
        buffered,
        available,
        isolation,
        integrity,
        timely,
        status_true,
        no_leak,
    )
}
