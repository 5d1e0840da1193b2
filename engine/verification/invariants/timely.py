"""`timely`: a message has its effect in bounded time."""

from engine.verification.facts import Facts
from engine.verification.history import Event
from engine.verification.records import HandOver, Sent, seconds
from engine.verification.verdict import LOST, Finding, Violation

NAME = "timely"

#: Hops in a row that a design may need between two of its steps. A sweep that asks 16 shards one after the other makes
#: 32; the claim or the delivery call, the hand-over and the acknowledgement, each there and back, make 8 more at most.
HOPS = 40
#: For waits of the design's own: tries for a lock, jitter.
OWN_WAITS_MS = 2_000


def deadline_ms(facts: Facts, accepted_ms: int) -> int:
    """Until when a message that was accepted then must have had its effect when there are no faults, in milliseconds.

    Worst case of a sound design:

    1. its buffer is due after `delay` (a buffer that is open already is due sooner);
    2. one batch of the conversation may be in front. It is claimed by then: after one tick (if the design ticks) and the
       hops of a step. It is gone after the processor's time and the hops that acknowledge it;
    3. the message's own batch is then claimed after one more tick, and has its effect after the hops and the processor's
       time.

    So delay + 2 × (tick + HOPS × longest hop + longest processor time) + the design's own waits. Generous (a design with
    fewer hops has less to wait for), yet far below a lease that runs out or a limit that is hit. Where functions are retired
    before they have lived for a tick, a tick is the first that one of them lives for. One that is retired in the middle of
    something leaves a claim behind, as one that crashes does: see `_interrupted_ms`.
    """
    at_ms = accepted_ms + facts.delay_ms
    step_ms: int = HOPS * facts.start["hop_ms"][1] + facts.start["processor_ms"][1]
    for _ in range(2):
        at_ms = _ticked_ms(facts, at_ms) + step_ms
    return at_ms + OWN_WAITS_MS


def _ticked_ms(facts: Facts, from_ms: int) -> int:
    """By when a function that lives long enough has ticked, from an instant on."""
    tick_ms: int = facts.start.get("tick_ms") or 0
    if any(f"f{number}" not in facts.lives for number in range(1, facts.start["functions"] + 1)):
        return from_ms + tick_ms  # one of those that were there from the start is there still
    due = [(max(began, from_ms) + tick_ms, ended) for began, ended in facts.lives.values()]
    return min((at for at, ended in due if ended is None or at < ended), default=from_ms + tick_ms)


def judge(facts: Facts) -> Finding:
    """Without faults: by `deadline_ms` of the acceptance. With faults: within the settle limit after healing.

    So it is from the moment on at which the platform stopped a function in the middle of something.
    A message accepted after healing has the settle limit from its acceptance. A message without an effect is late once
    its time is over, or the run is; one that was dead-lettered is not late.
    """
    if facts.faults and facts.healed is None:
        return Finding(applicable=False)
    waiting = [m for m in facts.messages.values() if m.accepted is not None and not m.dead_letters]
    late = [v for v in (_violation(facts, m) for m in waiting) if v is not None]
    return Finding(bool(waiting), tuple(late))


def _deadline_ms(facts: Facts, accepted_ms: int) -> int:
    if not facts.faults:
        return deadline_ms(facts, accepted_ms)
    assert facts.healed is not None
    return max(accepted_ms, facts.ms(facts.healed)) + int(facts.start["settle_limit_s"] * 1000)


def _interrupted_ms(facts: Facts, message: Sent, until_ms: int) -> int | None:
    """When a function was last stopped, by then, that may have held this conversation; None: none was.

    It had a hand-over of the conversation under way, or a command that wrote: with its names, or while one of its messages
    waited. What it had claimed has to run out first, and how long that may take is the design's own affair.
    """
    talk, found = facts.talk(message.conversation), None
    wrote = {
        event["command"]: event for event in facts.history if event["event"] == "redis.executed" and event["writes"]
    }
    under_way: dict[str, dict[int, None]] = {}
    for index, event in enumerate(facts.history):
        kind = event["event"]
        if event["t"] > until_ms:
            break
        if kind == "redis.sent":
            under_way.setdefault(event["function"], {})[event["command"]] = None
        elif kind in ("redis.replied", "redis.failed"):
            under_way.get(event["function"], {}).pop(event["command"], None)
        elif kind == "function.stopped":
            name = event["function"]
            handing = any(h.function == name and h.sent < index and not _is_over(h, index) for h in talk.handovers)
            writing = [wrote[command] for command in under_way.get(name, ()) if command in wrote]
            if handing or any(_waits(each, index) for each in talk.messages if writing) or _names(writing, message):
                found = int(event["t"])
    return found


def _waits(message: Sent, index: int) -> bool:
    effect = message.first_effect
    return message.accepted is not None and message.accepted < index and (effect is None or effect > index)


def _names(commands: list[Event], message: Sent) -> bool:
    phone = message.conversation[1]
    return any(phone in str(text) for command in commands for text in (*command["args"], *command["writes"]))


def _is_over(handover: HandOver, index: int) -> bool:
    return any(end is not None and end < index for end in (handover.confirmed, handover.failed))


def _violation(facts: Facts, message: Sent) -> Violation | None:
    accepted, effect = message.accepted, message.first_effect
    assert accepted is not None
    deadline = _deadline_ms(facts, facts.ms(accepted))
    if not facts.faults and (effect is None or facts.ms(effect) > deadline):
        interrupted_ms = _interrupted_ms(facts, message, deadline)
        if interrupted_ms is not None:
            deadline = max(deadline, interrupted_ms + int(facts.start["settle_limit_s"] * 1000))
    told = f"{message.label} was accepted at {facts.at(accepted)} and "
    if effect is not None:
        if facts.ms(effect) <= deadline:
            return None
        told += f"had its effect at {facts.at(effect)}: too late, as {seconds(deadline)} was the latest"
        return Violation(NAME, told, (accepted, effect), (message.label,))
    last = len(facts.history) - 1
    if not facts.complete and facts.ms(last) <= deadline:
        return None
    told += f"had no effect by {seconds(deadline)}, which was the latest"
    if facts.complete and message in facts.lost:
        return Violation(NAME, f"{told}: it is lost", (accepted, last), (message.label,), LOST)
    return Violation(NAME, told, (accepted, last), (message.label,))
