"""What is out of order in a run, in words: the clauses of "in order everywhere, except: …", one for each deviation.

They are made of the deviations themselves (which choice was not the default) and of what the history says of the step that
each met: whose it was, which message it served, when.
"""

import re
from collections.abc import Iterator, Sequence

from scenarios.steps import NamedStep, Steps
from scenarios.told import Drawn, Told, slow_network_ms

#: How a processor fails, in words.
_HOW = {
    "error_500": "answers 500",
    "says_failed": "answers 200 and says that it failed",
    "refused": "refuses the hand-over",
    "timed_out": "never answers, and does nothing",
    "answer_lost": "is done, and its answer is lost",
    "slow": "takes longer than its caller waits",
}

#: A person reads no more clauses than that.
MOST = 12


def exceptions(told: Told) -> tuple[str, ...]:
    """The clauses, in the order in which the deviations met the run; none: all was in order.

    Of a run that has not been made small, with hundreds of them, one clause that counts them: nobody reads a part of them.
    """
    if told.size[0] > MOST:
        return (f"{told.size[0]:,} deviations (it has not been made small)",)
    slow_ms = slow_network_ms(told.run)
    clauses = [] if slow_ms is None else [(-1, f"every hop takes {seconds(slow_ms)}")]
    clauses += [*_of_numbers(told), *_of_delays(told)]
    return tuple(dict.fromkeys(text for _, text in sorted(clauses, key=lambda each: each[0])))


def count_of(clauses: Sequence[str]) -> int:
    """How many deviations the clauses stand for."""
    many = re.match(r"([\d,]+) deviations \(", clauses[0]) if clauses else None
    return len(clauses) if many is None else int(many[1].replace(",", ""))


def _of_delays(told: Told) -> Iterator[tuple[int, str]]:
    steps = Steps(told.run.history)
    for waiting, awaited in told.delays.items():
        late = steps.named(waiting, told.steps.get(waiting, 0))
        if awaited.startswith("hold "):
            index = next((drawn.at for drawn in told.drawn if drawn.key == awaited), 0)
            first = steps.named(awaited.removeprefix("hold "), index)
            yield index, f"{first.subject} is put by before {late.happens}"
        else:
            first = steps.named(awaited, told.steps.get(awaited, 0))
            yield told.steps.get(awaited, 0), f"{first.happens} before {late.happens}"


def _of_numbers(told: Told) -> Iterator[tuple[int, str]]:
    steps = Steps(told.run.history)
    asked = {drawn.key: drawn for drawn in told.drawn}
    for key in told.numbers:
        drawn = asked.get(key)
        if drawn is None:
            continue
        what = key.rpartition("#")[0]
        first, _, rest = what.partition(" ")
        if first == "fault":
            yield drawn.at, _fault(told, steps, drawn)
        elif first == "hold":
            yield drawn.at, _hold(steps, steps.named(rest + "#0", drawn.at, held=True))
        elif first == "route":
            yield drawn.at, _route(told, rest, drawn)
        elif not what.startswith(("until ", *_DETAILS)):
            yield drawn.at, _lasts(steps, what, drawn)


_DETAILS = ("stall ", "which hop ", "outage ", "evicted ", "skew ", "drift ", "how ", "repeat ", "pause of ")


def _hold(steps: Steps, step: NamedStep) -> str:
    until = steps.moment_of(step)
    return f"{step.subject} is held until {seconds(until)}" if until is not None else f"{step.subject} is held"


def _route(told: Told, rest: str, drawn: Drawn) -> str:
    """Who got the call: the arrival is the next event of its kind."""
    kind = "webhook.arrived" if rest.startswith("provider ") else "delivery.arrived"
    history = told.run.history
    arrived = next((event for event in history[drawn.at :] if event["event"] == kind), None)
    who = arrived["function"] if arrived is not None else "another function"
    if rest.startswith("provider "):
        return f"{rest.removeprefix('provider ')} goes to {who}"
    return f"{rest.split(' ')[0]}'s delivery call goes to {who}"


def _lasts(steps: Steps, what: str, drawn: Drawn) -> str:
    length = seconds(drawn.value)
    if what.startswith("provider retries "):
        return f"the provider waits {length} before it sends {what.removeprefix('provider retries ')} again"
    step = steps.named(what + "#0", drawn.at, sent_now=True)
    return f"{step.subject} takes {length}"


def _fault(told: Told, steps: Steps, drawn: Drawn) -> str:
    history = told.run.history
    event = history[drawn.at] if drawn.at < len(history) else {}
    if event.get("event") != "fault":
        return "a fault strikes"
    kind, site, actor = event["kind"], event["site"], event["actor"]
    details = _details(told, drawn)
    whole = steps.named(site + " request#0", drawn.at, sent_now=True)
    if kind == "request_lost":
        return f"{whole.whole} is lost on its way"
    if kind == "reply_lost":
        return f"{whole.reply_of} is lost"
    if kind == "stall":
        subject = whole.reply_of if details.get("which hop") else whole.whole
        return f"{subject} stalls for {seconds(details.get('stall', 0))}"
    if kind in ("crash", "pause"):
        step = steps.named(site + "#0", drawn.at)
        if kind == "crash":
            return f"{actor} crashes before {step.happens}"
        return f"{actor} is paused before {step.happens}{_until_resumed(told, drawn, actor)}"
    if kind == "clock_skew":
        drift = f" and drifts by {details['drift']} ppm" if details.get("drift") else ""
        return f"{actor}'s clock is off by {details.get('skew', 0) / 1000:+.3f} s{drift}"
    return _fault_elsewhere(told, steps, drawn, whole, details)


def _fault_elsewhere(told: Told, steps: Steps, drawn: Drawn, whole: NamedStep, details: dict[str, int]) -> str:
    event = told.run.history[drawn.at]
    kind = event["kind"]
    if kind == "restart":
        return f"Redis restarts as {whole.whole} arrives"
    if kind == "restart_data_lost":
        return f"Redis restarts, with its data lost, as {whole.whole} arrives"
    if kind == "unreachable":
        return f"Redis cannot be reached for {seconds(details.get('outage', 0))} from the arrival of {whole.whole}"
    if kind == "script_flush":
        return f"the script cache is flushed as {whole.whole} arrives"
    if kind == "eviction":
        gone = next((e["key"] for e in told.run.history[drawn.at :] if e["event"] == "key.evicted"), "a key")
        return f"{steps.keys[gone]} is evicted as {whole.whole} arrives"
    if kind == "processor_failure":
        failures = list(_HOW.values())
        return f"the processor {failures[details.get('how', 0) % len(failures)]} at {steps.batch_of(str(event.get('call', '')))}"
    if kind == "processor_too_slow":
        return f"the processor takes longer than all attempts together at {steps.batch_of(str(event.get('call', '')))}"
    if kind == "webhook_repeated":
        return f"the provider sends {event.get('label', 'a message')} again {seconds(details.get('repeat', 0))} later"
    if kind == "delivery_repeated":
        return f"{whole.whole} arrives twice"
    return f"{kind.replace('_', ' ')} strikes"


def _details(told: Told, drawn: Drawn) -> dict[str, int]:
    """What was drawn to say more of a fault: the numbers asked for between it and the next fault."""
    found: dict[str, int] = {}
    place = told.drawn.index(drawn)
    for other in told.drawn[place + 1 :]:
        if other.key.startswith("fault ") and other.value:
            break
        for name in _DETAILS:
            if other.key.startswith(name):
                found.setdefault(name.strip(), other.value)
    return found


def _until_resumed(told: Told, drawn: Drawn, actor: str) -> str:
    for event in told.run.history[drawn.at :]:
        if event["event"] == "function.resumed" and event["function"] == actor:
            return f", until {seconds(event['t'])}"
    return ""


def seconds(ms: int) -> str:
    """Milliseconds as seconds."""
    return f"{ms / 1000:.3f} s"
