"""`timely`: a message has its effect in bounded time."""

from engine.verification.facts import Facts
from engine.verification.records import Sent, seconds
from engine.verification.verdict import Finding, Violation

NAME = "timely"

#: Hops in a row that a design may need between two of its steps. A sweep that asks 16 shards one after the other makes
#: 32; the claim or the delivery call, the hand-over and the acknowledgement, each there and back, make 8 more at most.
HOPS = 40
#: For waits of the design's own: tries for a lock, jitter.
OWN_WAITS_MS = 2_000
#: The cause of what is late because it is lost: `no_loss` has more to say of it.
LOST = "loss"


def bound_ms(facts: Facts) -> int:
    """How long after its acceptance a message may wait for its effect when there are no faults, in milliseconds.

    Worst case of a sound design, for a message accepted at 0:

    1. its buffer is due by `delay` (a buffer that is open already is due sooner);
    2. one batch of the conversation may be in front. It is claimed by then: after one tick (if the design ticks) and the
       hops of a step. It is gone after the processor's time and the hops that acknowledge it;
    3. the message's own batch is then claimed after one more tick, and has its effect after the hops and the processor's
       time.

    So delay + 2 × (tick + HOPS × longest hop + longest processor time) + the design's own waits. Generous (a design with
    fewer hops has less to wait for), yet far below a lease that runs out or a limit that is hit.
    """
    tick_ms: int = facts.start.get("tick_ms") or 0
    hop_ms: int = facts.start["hop_ms"][1]
    processor_ms: int = facts.start["processor_ms"][1]
    return facts.delay_ms + 2 * (tick_ms + HOPS * hop_ms + processor_ms) + OWN_WAITS_MS


def judge(facts: Facts) -> Finding:
    """Without faults: within `bound_ms` of the acceptance. With faults: within the settle limit after healing.

    A message accepted after healing has the settle limit from its acceptance. A message without an effect is late once
    its time is over, or the run is; one that was dead-lettered is not late.
    """
    if facts.faults and facts.healed is None:
        return Finding(applicable=False)
    if facts.faults:
        assert facts.healed is not None
        earliest, allowed = facts.ms(facts.healed), int(facts.start["settle_limit_s"] * 1000)
    else:
        earliest, allowed = 0, bound_ms(facts)
    waiting = [m for m in facts.messages.values() if m.accepted is not None and not m.dead_letters]
    late = [v for v in (_violation(facts, m, earliest, allowed) for m in waiting) if v is not None]
    return Finding(bool(waiting), tuple(late))


def _violation(facts: Facts, message: Sent, earliest: int, allowed: int) -> Violation | None:
    accepted, effect = message.accepted, message.first_effect
    assert accepted is not None
    deadline = max(facts.ms(accepted), earliest) + allowed
    told = f"{message.label} was accepted at {facts.at(accepted)} and "
    if effect is not None:
        if facts.ms(effect) <= deadline:
            return None
        told += f"had its effect at {facts.at(effect)}, after {seconds(deadline)}, when it was to have it at the latest"
        return Violation(NAME, told, (accepted, effect), (message.label,))
    last = len(facts.history) - 1
    if not facts.complete and facts.ms(last) <= deadline:
        return None
    told += f"had no effect by {seconds(deadline)}, when it was to have it at the latest"
    if facts.complete and message in facts.lost:
        return Violation(NAME, f"{told}: it is lost", (accepted, last), (message.label,), LOST)
    return Violation(NAME, told, (accepted, last), (message.label,))
