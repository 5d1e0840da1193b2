"""What a design costs: time for an add, time to the answer, round trips and bytes, batches per burst, and when idle.

Everything is virtual: latencies are those that the profile says, counts are exact. Scripts are warm: a message of another
conversation goes in front and is not counted. A design's sweep is off while messages are counted (without faults nothing
needs it) and counted by itself: it costs the same whatever the traffic.
"""

import random
from typing import Any

from engine.buffer.strategy import Strategy
from engine.simulation.case import Case
from engine.simulation.world import World
from scenarios.catalogue.drawing import burst, case, phone
from scenarios.catalogue.window import real_offsets
from scenarios.measure.profile import Profile
from scenarios.running import History, scheduler_of
from scenarios.selection import find_strategy

NAME = "cost"
SUMMARY = "time, round trips, bytes and batches of each design, and what it costs when idle"
RUNS = 200
FEW_RUNS = 40
CHUNK = 20
STRATEGIES = ("baseline", "lock", "lua", "fenced_lock", "lease")
#: When the counted burst begins; the message that warms the scripts has been answered by then.
START_MS = 40_000
#: Bursts are cut here, so that one batch is what a burst ideally becomes.
WITHIN_MS = 7_000
IDLE_MS = 180_000
GROWTH_MESSAGES = 20
QUANTILES = (50, 95, 99)


def items(runs: int, seed: int, profile: Profile) -> list[tuple[Any, ...]]:
    """Chunks of bursts, then for each strategy its idle time and a long buffer."""
    bursts = [
        (strategy, "bursts", start, min(start + CHUNK, runs), seed, profile)
        for strategy in STRATEGIES
        for start in range(0, runs, CHUNK)
    ]
    return bursts + [(s, what, 0, 1, seed, profile) for s in STRATEGIES for what in ("idle", "growth")]


def cell(strategy: str, what: str, start: int, stop: int, seed: int, profile: Profile) -> dict[str, Any]:
    """Measure one chunk."""
    measured: dict[str, Any]
    if what == "idle":
        measured = _idle(strategy, profile)
    elif what == "growth":
        measured = _growth(strategy)
    else:
        measured = _summed([_burst(strategy, number, seed, profile) for number in range(start, stop)])
    return {"strategy": strategy, "what": what, **measured}


def document(rows: list[dict[str, Any]], profile: Profile) -> dict[str, Any]:
    """One row a strategy; and how the bytes of an add grow with the buffer."""
    found = {what: [row for row in rows if row["what"] == what] for what in ("bursts", "idle", "growth")}
    summary = []
    for strategy in STRATEGIES:
        mine = {what: [row for row in each if row["strategy"] == strategy] for what, each in found.items()}
        summary.append(_row(strategy, _summed(mine["bursts"]), mine["idle"][0]))
    return {
        "bursts": f"{profile.bursts()}, cut {WITHIN_MS // 1000} s after the first message",
        "rows": summary,
        "growth": [
            {"strategy": row["strategy"], "messages_before": n, "bytes": size}
            for row in found["growth"]
            for n, size in enumerate(row["bytes_of_add"])
        ],
    }


_COUNTS = ("bursts", "messages", "round_trips", "bytes_sent", "bytes_received", "batches", "errors")


def _summed(parts: list[dict[str, Any]]) -> dict[str, Any]:
    sums: dict[str, Any] = {name: sum(part[name] for part in parts) for name in _COUNTS}
    for name in ("add_ms", "answer_ms"):
        sums[name] = [value for part in parts for value in part[name]]
    return sums


def _row(strategy: str, sums: dict[str, Any], idle: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"strategy": strategy, **{name: sums[name] for name in _COUNTS}}
    for name in ("add_ms", "answer_ms"):
        values = sorted(sums[name])
        row[name] = {f"p{q}": _quantile(values, q) for q in QUANTILES}
    return row | {"idle_round_trips": idle["round_trips"], "idle_function_minutes": idle["function_minutes"]}


def _quantile(values: list[int], percent: int) -> int | None:
    """The nearest-rank quantile: a value that was really seen."""
    return values[max(0, -(-len(values) * percent // 100) - 1)] if values else None


def _burst(strategy: str, number: int, seed: int, profile: Profile) -> dict[str, Any]:
    rng = random.Random(f"{seed}/cost/{number}")
    offsets = [offset for offset in real_offsets(rng) if offset < WITHIN_MS]
    sendings = burst(rng, [0], user_phone=phone(9)) + burst(rng, offsets, start_ms=START_MS, first=2)
    drawn = case(sendings, settings={"CLEANUP_INTERVAL_SECONDS": 36_000}, functions=1, **profile.windows())
    world = _world(drawn, _without_sweep(strategy), f"{seed}/cost/{strategy}", number)
    history = world.run()
    return _counted(world, history, len(offsets))


def _counted(world: World, history: History, messages: int) -> dict[str, Any]:
    later = [event for event in history if event["t"] >= START_MS]
    arrived = {e["call"]: e["t"] for e in later if e["event"] == "webhook.arrived"}
    answered = {e["call"]: e for e in later if e["event"] == "webhook.answered"}
    sent = {e["id"]: e["t"] for e in reversed(later) if e["event"] == "webhook.sent"}
    effects = [e for e in later if e["event"] == "handover.effect"]
    first: dict[str, int] = {}
    for event in effects:
        for message in event["messages"]:
            first.setdefault(message["id"], event["t"])
    traffic = [exchange for exchange in world.link.traffic if exchange[0] >= START_MS]
    return {
        "bursts": 1,
        "messages": messages,
        "round_trips": sum(out > 0 for _, out, _ in traffic),
        "bytes_sent": sum(out for _, out, _ in traffic),
        "bytes_received": sum(back for _, _, back in traffic),
        "batches": len(effects),
        "errors": sum(call not in answered or answered[call]["status"] >= 300 for call in arrived),
        "add_ms": [answered[call]["t"] - at for call, at in arrived.items() if call in answered],
        "answer_ms": [at - sent[name] for name, at in first.items() if name in sent],
    }


def _idle(strategy: str, profile: Profile) -> dict[str, Any]:
    """Round trips while nothing happens, of all functions, cleanup and sweeps included."""
    drawn = case(burst(random.Random(strategy), [0], start_ms=IDLE_MS), settings={"SHARDS": 16}, **profile.windows())
    world = _world(drawn, find_strategy(strategy), f"cost/idle/{strategy}", 0)
    world.run()
    trips = sum(out > 0 for at, out, _ in world.link.traffic if at < IDLE_MS)
    return {"round_trips": trips, "function_minutes": drawn.functions * IDLE_MS // 60_000}


def _growth(strategy: str) -> dict[str, Any]:
    """The bytes, both ways, that each of twenty equal messages of one buffer costs, one after the other."""
    rng = random.Random("growth")  # the texts are replaced: it draws nothing that counts
    sendings = burst(rng, [0], user_phone=phone(9))
    same = burst(rng, [300 * n for n in range(GROWTH_MESSAGES)], start_ms=START_MS, first=2)
    text = "a message of forty characters, or nearly"
    plain = [type(s)(at_ms=s.at_ms, message_id=f"id-{n:04}", text=text, label=s.label) for n, s in enumerate(same, 2)]
    drawn = case([*sendings, *plain], functions=1, hop_ms=(1, 1), settings={"CLEANUP_INTERVAL_SECONDS": 36_000})
    world = _world(drawn, _without_sweep(strategy), f"cost/growth/{strategy}", 0)
    world.run()
    sizes = [0] * GROWTH_MESSAGES
    for at, out, back in world.link.traffic:
        number = (at - START_MS) // 300
        if at >= START_MS and number < GROWTH_MESSAGES:
            sizes[number] += out + back
    return {"bytes_of_add": sizes}


def _world(drawn: Case, strategy: type[Strategy], seed: str, run: int) -> World:
    return World(drawn, strategy, scheduler_of("timed", seed, run))


def _without_sweep(name: str) -> type[Strategy]:
    found = find_strategy(name)
    quiet: type[Strategy] = type(found.__name__, (found,), {"tick_ms": None, "__module__": found.__module__})
    return quiet
