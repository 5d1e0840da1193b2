"""The result document of a campaign, exported from its store, and what is new in it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from engine.buffer.catalogue import BUILT_IN
from engine.buffer.files import write_whole
from engine.simulation.case import DAGGER_FAULTS
from engine.verification import RACE_NAMES
from scenarios.campaign.store import Store
from scenarios.catalogue import SCENARIOS
from scenarios.corpus import is_kept, keep, kept_in
from scenarios.expectations import known_verdicts
from scenarios.trace import SCHEMA, read_trace, trace_text

_COUNTERS = ("violations", "faults", "branches", "reasons", "races")
_NUMBERS = ("runs", "completed", "skipped", "commands", "messages")


def document_of(store: Store, command: str | None = None) -> dict[str, Any]:
    """The document, of the kind `campaign`: runs, messages, faults, coverage and folded failures, by strategy."""
    campaign, program = store.asked()
    numbers: dict[str, Counter[str]] = {name: Counter() for name in campaign.strategies}
    counters: dict[str, dict[str, Counter[str]]] = {
        name: {counter: Counter() for counter in _COUNTERS} for name in campaign.strategies
    }
    policies: Counter[str] = Counter()
    for spec, counts in store.rows("SELECT spec, counts FROM batches WHERE counts IS NOT NULL"):
        plan, counted = json.loads(spec)["plan"], json.loads(counts)
        numbers[plan["strategy"]].update({name: counted[name] for name in _NUMBERS})
        policies[plan["policy"]] += counted["runs"]
        for counter in _COUNTERS:
            counters[plan["strategy"]][counter].update(counted[counter])
    covered = dict(store.rows("SELECT strategy, COUNT(DISTINCT point) FROM points GROUP BY 1"))
    failures = _failures(store)
    (elapsed_s, session_runs, sittings), *_ = store.rows(
        "SELECT COALESCE(SUM(elapsed_s), 0), COALESCE(SUM(runs), 0), COUNT(*) FROM sessions"
    )
    total = sum((each for each in numbers.values()), Counter())
    growth = _growth(store)
    return {
        "schema": SCHEMA,
        "kind": "campaign",
        "command": command,
        "seed": campaign.seed,
        "versions": {name: value for name, value in program.items() if name != "code"},
        "asked": campaign.to_json(),
        **{name: total[name] for name in ("runs", "completed", "commands", "messages")},
        "elapsed_s": round(elapsed_s, 3),
        "runs_per_s": round(session_runs / max(elapsed_s, 0.001), 1),
        "sittings": sittings,
        "rounds": len(growth),
        "coverage": sum(covered.values()),
        "growth": growth,
        "faults": _sum(counters, "faults"),
        "undecided_because": _sum(counters, "reasons"),
        "strategies": [
            {
                "strategy": name,
                **{number: numbers[name][number] for number in ("runs", "completed", "messages", "commands")},
                "coverage": covered.get(name, 0),
                "violations": dict(sorted(counters[name]["violations"].items())),
                "races": dict(sorted(counters[name]["races"].items())),
                "faults": dict(sorted(counters[name]["faults"].items())),
                "failures": sum(each["strategy"] == name for each in failures),
                "new": sum(each["strategy"] == name and each["new"] for each in failures),
            }
            for name in campaign.strategies
        ],
        "policies": [{"policy": name, "runs": policies[name]} for name in campaign.policies],
        "failures": failures,
        "not_made_small": store.rows("SELECT COUNT(*) FROM found WHERE trials > 0 AND shrunk = 0")[0][0],
        # What was found but could not be replayed would be a defect of the harness: it is said, not hidden.
        "not_replayed": store.rows("SELECT COUNT(*) FROM found WHERE shrunk = -1")[0][0],
    }


def _growth(store: Store) -> list[list[int]]:
    """After each round, one that is still open among them: how many runs, and how many points they covered."""
    new = dict(
        store.rows(
            "SELECT first, COUNT(*) FROM (SELECT MIN(round) AS first FROM points GROUP BY strategy, point) GROUP BY 1"
        )
    )
    growth, runs, points = [], 0, 0
    for number, more in store.rows(
        "SELECT round, SUM(json_extract(counts, '$.runs')) FROM batches WHERE counts IS NOT NULL GROUP BY 1 ORDER BY 1"
    ):
        runs += more
        points += new.get(number, 0)
        growth.append([runs, points])
    return growth


def _sum(counters: dict[str, dict[str, Counter[str]]], name: str) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counters.values():
        total.update(each[name])
    return dict(sorted(total.items()))


def _failures(store: Store) -> list[dict[str, Any]]:
    """The folded failures, and those violations that were found and not made small yet."""
    seen = {
        tuple(key): (batches, first, sitting)
        for *key, batches, first, sitting in store.rows(
            "SELECT strategy, invariant, cause, COUNT(*), MIN(batch), MIN(sitting) FROM found JOIN batches ON number = batch"
            " GROUP BY 1, 2, 3"
        )
    }
    failures = []
    shown = set()
    for identity, strategy, invariant, cause, scenario, events, folded, text, sitting, spec in store.rows(
        "SELECT identity, strategy, invariant, cause, scenario, events, folded, trace, failures.sitting, spec FROM failures"
        " JOIN batches ON number = batch ORDER BY strategy, invariant, cause, events, identity"
    ):
        shown.add((strategy, invariant, cause))
        plan = json.loads(spec)["plan"]
        failures.append(
            {
                "identity": identity,
                "strategy": strategy,
                "scenario": scenario,
                "invariant": invariant,
                "cause": cause or None,
                "explanation": json.loads(text)["violation"]["explanation"],
                "events": events,
                "folded": folded,
                "batches": seen[strategy, invariant, cause][0],
                # Another schedule of a race that an earlier sitting found is no finding of this one.
                "sitting": seen[strategy, invariant, cause][2] if cause else sitting,
                "new": _is_new(plan, invariant),
                "new_race": cause in RACE_NAMES and strategy in BUILT_IN and cause not in _races_of(strategy),
                "trace": trace_name(strategy, invariant, cause, identity),
            }
        )
    for strategy, invariant, cause in sorted(seen.keys() - shown):
        found_in, first, sitting = seen[strategy, invariant, cause]
        ((spec,),) = store.rows("SELECT spec FROM batches WHERE number = ?", (first,))
        plan = json.loads(spec)["plan"]
        failures.append(
            {
                "identity": None,
                "strategy": strategy,
                "scenario": plan["scenario"],
                "invariant": invariant,
                "cause": cause or None,
                "explanation": "found, and not made small",
                "events": None,
                "folded": 0,
                "batches": found_in,
                "sitting": sitting,
                "new": _is_new(plan, invariant),
                "new_race": False,
                "trace": None,
            }
        )
    return failures


def _is_new(plan: dict[str, Any], invariant: str) -> bool:
    """Whether a violation is not written down.

    A batch mixes faults and features, so its scenario's name says less than in `verify`: a violation is known if the
    strategy is known to break the invariant in any scenario that can be survived; under faults that no design survives,
    in any at all. Of a strategy that is not built in, nothing is written down.
    """
    strategy, scenario = plan["strategy"], plan["scenario"]
    if strategy not in BUILT_IN:
        return True
    beyond = set(plan["faults"] or ()) & set(DAGGER_FAULTS) or (scenario in SCENARIOS and SCENARIOS[scenario].dagger)
    return not any(
        invariant in invariants
        for name, invariants in known_verdicts().get(strategy, {}).items()
        if beyond or not (name in SCENARIOS and SCENARIOS[name].dagger)
    )


def _races_of(strategy: str) -> set[str]:
    known = known_verdicts().get(strategy, {})
    return {race for invariants in known.values() for entry in invariants.values() for race in entry["races"]}


def trace_name(strategy: str, invariant: str, cause: str, identity: str) -> str:
    """The file of a failure's trace, relative to the output folder: the same one when a smaller example takes its place."""
    words = "-".join(each for each in (strategy, cause, invariant, identity[:8]) if each)
    return "campaign/" + "".join(c if c.isalnum() or c in "-_" else "_" for c in words) + ".json"


def write(store: Store, document: dict[str, Any], out: Path, corpus: Path | None) -> None:
    """Write the document and the traces of its failures, and add to a corpus what it has no trace of yet."""
    traces = {identity: json.loads(text) for identity, text in store.rows("SELECT identity, trace FROM failures")}
    for failure in document["failures"]:
        if failure["identity"] is not None:
            write_whole(out / failure["trace"], trace_text(traces[failure["identity"]]))
    write_whole(out / "campaign.json", json.dumps(document, indent=1) + "\n")
    if corpus is not None:
        _keep(out, document["failures"], corpus)


def _keep(out: Path, failures: list[dict[str, Any]], corpus: Path) -> None:
    kept = kept_in(corpus)
    # The smallest first, so that of several examples of one race that one is kept.
    for failure in sorted(failures, key=lambda each: (each["events"] or 0, each["identity"] or "")):
        if failure["trace"] is None:
            continue
        trace = read_trace(out / failure["trace"])
        if not is_kept(trace, kept):
            keep(trace, corpus / Path(failure["trace"]).name)
            kept.append(trace)
