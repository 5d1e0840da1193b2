"""The first screen: four questions that somebody who must choose asks, answered from the results and from nothing else."""

from collections.abc import Mapping
from typing import Any

from reports.answers_measured import cost_lines, lost_lines
from reports.figures import cost, risk, steps, ttl
from reports.figures.boundary import losses
from reports.figures.ink import in_order
from reports.intervals import percent
from reports.results import Results
from reports.sections import Answer
from reports.wording import counted, listed, runs_of, seconds, situation

Row = Mapping[str, Any]
_ALONE, _BEFORE, _RETRY, _BOTH = "longer TTLs alone", "before the plan", "retry alone", "retry and longer TTLs"


def answers_of(results: Results) -> list[Answer]:
    """The answers for which there are results."""
    answers = (_who_loses(results), _what_the_ttl_changed(results), _outages(results), _what_safe_costs(results))
    return [answer for answer in answers if answer.lines]


def verdict_rows(results: Results) -> list[Row]:
    """The rows of all files of the kind `verify`."""
    return [row for file in results.of("verify") for row in file.document["rows"]]


def safe_strategies(results: Results) -> list[str]:
    """Those of which something was decided and no violation of any invariant was found, in any file."""
    rows = verdict_rows(results)
    broken = {row["strategy"] for row in rows if row["verdict"] == "violated"}
    return in_order({row["strategy"] for row in rows if row["verdict"] == "holds"} - broken)


def _who_loses(results: Results) -> Answer:
    # What searches of small scenarios found stands in their own section: here a scenario is a situation of practice.
    rows = [row for row in verdict_rows(results) if row.get("exhausted") is None]
    lines = []
    names = in_order(row["strategy"] for row in rows)
    never: list[str] = []
    undecided: list[str] = []
    decided = {row["strategy"] for row in rows if row["verdict"] != "unknown"}
    for name in names:
        lossy = _where(rows, name, "no_loss")
        doubled = _where(rows, name, "no_duplicate")
        if not lossy and not doubled:
            (never if name in decided else undecided).append(name)
            continue
        told = f"**{name}** loses messages {listed(lossy)}" if lossy else f"**{name}** was not seen to lose"
        told += f". It answers twice {listed(doubled)}" if doubled else ""
        lines.append(told + _at_the_edge(results, name))
    if never:
        runs = runs_of([{"runs": _runs(rows, name)} for name in never])
        each = " each" if len(never) > 1 else ""
        lines.append(f"**{listed(never)}**: no message lost or doubled in {runs} runs{each} of the same scenarios")
    if undecided:
        lines.append(f"**{listed(undecided)}**: nothing was decided")
    if rows:
        scenarios = counted(len({row["scenario"] for row in rows}), "scenario")
        lines.append(f"What is not named here was not seen, in {runs_of(rows)} runs of a design in each of {scenarios}")
    lines += [*_monthly(results), *lost_lines(results)]
    where = ("boundary", "matrix", "risk", "load", "chaos")
    return Answer("Which design loses messages, and when?", tuple(lines), where)


def _where(rows: list[Row], name: str, invariant: str) -> list[str]:
    found = [
        row["scenario"]
        for row in rows
        if row["strategy"] == name and row["invariant"] == invariant and row["verdict"] == "violated"
    ]
    return [situation(scenario) for scenario in dict.fromkeys(found)]


def _runs(rows: list[Row], name: str) -> int:
    return sum({row["scenario"]: row["runs"] for row in rows if row["strategy"] == name}.values())


def _at_the_edge(results: Results, name: str) -> str:
    file = results.first("boundary")
    found = losses(file.document["rows"], name) if file is not None else []
    if not found:
        return ""
    first, worst = found[0], max(found, key=lambda row: row["lossy_runs"] / row["runs"])
    return (
        f". A second message is lost from {first['second_at_ms'] / 1000:.1f} s on; "
        f"at {worst['second_at_ms'] / 1000:.1f} s, in {percent(worst['lossy_runs'] / worst['runs'])} of runs"
    )


def _monthly(results: Results) -> list[str]:
    file = results.first("risk")
    if file is None:
        return []
    per_day = file.document["messages_per_day"]
    by = {row["strategy"]: row for row in file.document["rows"]}
    told = ", ".join(f"{name} {risk.told_monthly(by[name], 'lost', per_day)}" for name in in_order(by))
    return [f"Lost of {per_day * risk.DAYS:,} messages a month, without any fault: {told}"]


def _what_the_ttl_changed(results: Results) -> Answer:
    lines = []
    file = results.first("steps")
    if file is not None:
        rows = file.document["rows"]
        lines += _alone(rows)
    file = results.first("retry_ttl_grid")
    if file is not None:
        rows = file.document["loss"]
        for name in in_order(row["strategy"] for row in rows):
            if ttl.OWN_TTL_S.get(name) == ttl.PLAN_S:
                before, after = (ttl.survives_s(rows, name, each) for each in (ttl.OLD_S, ttl.PLAN_S))
                lines.append(
                    f"**{name}**, with its retry: the longest outage survived is {ttl.up_to(before)} at 15 s, "
                    f"{ttl.up_to(after)} at 60 s"
                )
    question = "What did raising the buffer's TTL from 15 to 60 s change?"
    return Answer(question, tuple(lines), ("steps", "retry-and-ttl"))


def _alone(rows: list[Row]) -> list[str]:
    """What longer TTLs do alone, and with the retry that needs them."""
    situations = list(dict.fromkeys(row["situation"] for row in rows))
    before = {each: steps.share(rows, _BEFORE, each) for each in situations}
    alone = {each: steps.share(rows, _ALONE, each) for each in situations}
    if not all(before.values()) or not all(alone.values()):
        return []
    clear = [e for e in situations if (b := before[e]) and (a := alone[e]) and (a.high < b.low or a.low > b.high)]
    lines = []
    if not clear:
        lines.append(f"**Alone: nothing that shows** in any of {len(situations)} situations (loss within its interval)")
    for each in clear:
        b, a = before[each], alone[each]
        assert b is not None
        assert a is not None
        lines.append(f"**Alone:** {each}: {percent(b.share)} → {percent(a.share)} of runs lose")
    retry, both = ({e: steps.share(rows, variant, e) for e in situations} for variant in (_RETRY, _BOTH))
    for each in situations:
        r, t = retry[each], both[each]
        if r is not None and t is not None and t.high < r.low:
            lines.append(f"With the retry: {each}: {percent(r.share)} of runs lose at 15 s, {percent(t.share)} at 60 s")
    return lines


def _outages(results: Results) -> Answer:
    file = results.first("retry_ttl_grid")
    lines = []
    if file is not None:
        rows = file.document["loss"]
        longest = ttl.longest_s(rows)
        tried = sorted({row["outage_s"] for row in rows})
        for name in in_order(row["strategy"] for row in rows):
            survived = ttl.survives_s(rows, name)
            if survived == longest:
                lines.append(f"**{name}**: every one that was tried, up to {longest} s")
            else:
                next_ = next(each for each in tried if each > survived)
                told = f"up to {survived} s" if survived else "none"
                lines.append(f"**{name}**: {told} (it lost messages at {next_} s)")
        start = file.document.get("outage_from_s")
        if start is not None:
            lines.append(f"Redis goes away {start:g} s after the message; tried: {', '.join(map(str, tried))} s")
    return Answer("How long an outage of Redis does each survive?", tuple(lines), ("retry-and-ttl",))


def _what_safe_costs(results: Results) -> Answer:
    file = results.first("cost")
    safe = safe_strategies(results)
    lines: list[str] = []
    if file is not None and safe:
        by = {row["strategy"]: row for row in file.document["rows"]}
        others = [name for name in in_order(by) if name not in safe]
        for name in safe:
            if name in by:
                lines += _cost_lines(name, by, others)
    for name in safe:
        lines += cost_lines(results, name)
    return Answer("What does the safe one cost?", tuple(lines), ("cost", "load", "capacity"))


def _cost_lines(name: str, by: Mapping[str, Row], others: list[str]) -> list[str]:
    mine = by[name]

    def against(value: Any) -> str:
        return ", ".join(f"{other} {value(by[other])}" for other in others)

    def trips(row: Row) -> str:
        return f"{cost.per_message(row, 'round_trips'):.1f}"

    def size(row: Row) -> str:
        return f"{cost.bytes_each(row):,.0f}"

    def took(row: Row) -> str:
        return seconds(row["add_ms"]["p50"] or 0)

    def answered(row: Row) -> str:
        return seconds(row["answer_ms"]["p50"] or 0)

    return [
        f"**{name}**: {trips(mine)} round trips to Redis a message ({against(trips)})",
        f"{took(mine)} until a message is taken, the median ({against(took)}); "
        f"{answered(mine)} until it is answered ({against(answered)})",
        f"{size(mine)} bytes a message ({against(size)})",
        f"and {cost.idle_each(mine):.0f} round trips a minute for each live function when nothing happens "
        f"({', '.join(f'{other} {cost.idle_each(by[other]):.1f}' for other in others)}): its sweep",
    ]
