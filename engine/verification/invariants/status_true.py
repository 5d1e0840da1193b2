"""`status_true`: a status that was reported agrees with what happened; not applicable where none is."""

from collections.abc import Iterator

from engine.verification.facts import Facts
from engine.verification.records import HandOver, Sent, Talk
from engine.verification.verdict import Finding, Violation

NAME = "status_true"


def judge(facts: Facts) -> Finding:
    """Judge every reported status at the moment of the report.

    `success` is false if a hand-over it speaks of is over for its function (confirmed, or failed and not refused) and an
    accepted message of it has had no effect by then, is not dead-lettered, and its failure was not owned up to by a
    `failed` in between. What it speaks of follows from the last thing that its reporter saw go well in the conversation
    since its last status (see `_spoken_of`): another function's batch may fail at the same time, and a report about
    an earlier batch is none the less true. And it is false if its reporter saw nothing go well since its last status, but
    dead-lettered a message that has had no effect: that was given up, and "success" says the opposite. Not so while more
    hand-overs of the conversation were confirmed than told to be a success.

    `failed` is false only if nothing was in doubt: every message received so far had its effect in a hand-over that was
    confirmed, and no hand-over of the conversation had failed ("failed" may mean "not confirmed").
    """
    violations = []
    for talk in facts.talks.values():
        previous: dict[str, int] = {}
        owned_up: list[int] = []
        for index in talk.statuses:
            event = facts.history[index]
            function = event.get("function", "")
            if event["status"] == "success":
                since = previous.get(function, -1)
                found = _false_success(facts, talk, index, since, owned_up) or _given_up(facts, talk, index, since)
            else:
                found = _false_failed(facts, talk, index)
                owned_up.append(index)
            if found is not None:
                violations.append(found)
            previous[function] = index
    return Finding(any(talk.statuses for talk in facts.talks.values()), tuple(violations))


def _spoken_of(talk: Talk, function: str, since: int, now: int) -> Iterator[HandOver]:
    """The hand-overs that a `success` answers for.

    1. The reporter's last good news is a confirmed hand-over of its own: the one that it speaks of.
    2. It is a delivery call answered 2xx: the hand-overs begun while that call was served, and all begun before it was
       posted, for to answer 2xx is to say that nothing is left to do.
    3. There is none: all begun so far.
    """
    own = [
        h for h in talk.handovers if h.function == function and h.confirmed is not None and since < h.confirmed < now
    ]
    calls = [
        d
        for d in talk.deliveries
        if d.function == function and d.confirmed is not None and since < d.confirmed < now and 200 <= d.status < 300
    ]
    batch = max(own, key=lambda h: h.confirmed or 0, default=None)
    call = max(calls, key=lambda d: d.confirmed or 0, default=None)
    if batch is not None and (call is None or (batch.confirmed or 0) > (call.confirmed or 0)):
        yield batch
        return
    for handover in talk.handovers:
        if handover.sent < now and (call is None or handover.sent < call.posted or call.served(handover)):
            yield handover


def _false_success(facts: Facts, talk: Talk, index: int, since: int, owned_up: list[int]) -> Violation | None:
    function = facts.history[index].get("function", "")
    for handover in _spoken_of(talk, function, since, index):
        over = handover.confirmed if handover.confirmed is not None else handover.failed
        if handover.refused or over is None or over > index or any(over < each for each in owned_up):
            continue
        for message in handover.members:
            if _without_effect(message, index):
                how = "failed" if handover.confirmed is None else "was confirmed without its effect"
                told = (
                    f'"success" was reported at {facts.at(index)} although the hand-over of {message.label}'
                    f" {how} at {facts.at(over)} and it has had no effect"
                )
                return Violation(NAME, told, (handover.sent, over, index), (message.label,))
    return None


def _given_up(facts: Facts, talk: Talk, index: int, since: int) -> Violation | None:
    function = facts.history[index].get("function", "")
    confirmed = sum(h.confirmed is not None and h.confirmed < index for h in talk.handovers)
    told_so_far = sum(each < index and facts.history[each]["status"] == "success" for each in talk.statuses)
    if confirmed > told_so_far:
        return None  # it may be an earlier batch that is reported late, by whoever
    well = [h.confirmed for h in talk.handovers if h.function == function]
    well += [d.confirmed for d in talk.deliveries if d.function == function and 200 <= (d.status or 0) < 300]
    if any(at is not None and since < at < index for at in well):
        return None
    for message in talk.messages:
        for given_up in message.dead_letters:
            own = facts.history[given_up].get("function", "") == function
            if own and since < given_up < index and not any(at < index for at, _ in message.effects):
                told = (
                    f'"success" was reported at {facts.at(index)} although {function} had dead-lettered {message.label}'
                    f" at {facts.at(given_up)} and it has had no effect"
                )
                return Violation(NAME, told, (given_up, index), (message.label,))
    return None


def _without_effect(message: Sent, index: int) -> bool:
    if message.accepted is None or message.accepted > index:
        return False
    return not any(each < index for each in message.dead_letters) and not any(at < index for at, _ in message.effects)


def _false_failed(facts: Facts, talk: Talk, index: int) -> Violation | None:
    received = [m for m in talk.messages if m.received is not None and m.received < index]
    if not received or any(h.failed is not None and h.failed < index for h in talk.handovers):
        return None
    for message in received:
        confirmed = any(h.confirmed is not None and h.confirmed < index for h in message.handovers)
        if not confirmed or not any(at < index for at, _ in message.effects):
            return None
    last = max(m.effects[0][0] for m in received)
    told = (
        f'"failed" was reported at {facts.at(index)} although every message had had its effect, the last at'
        f" {facts.at(last)}, and every hand-over had been confirmed"
    )
    return Violation(NAME, told, (last, index), tuple(m.label for m in received))
