"""All invariants on one history: index it once, let each judge look, explain what they found by the named races."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from engine.verification.facts import Facts
from engine.verification.history import History
from engine.verification.invariants import JUDGES
from engine.verification.races import RaceMatch, matches_in
from engine.verification.verdict import Judgement, Verdict, Violation, combine

INVARIANTS: tuple[str, ...] = tuple(JUDGES)


def judge(history: History, *, only: Collection[str] | None = None) -> list[Judgement]:
    """Judge a history: one judgement an invariant, in the order of `INVARIANTS`.

    `only` limits what is judged, besides `judged` in the history's start; the rest is not applicable. Never raises: what
    cannot be judged is `unknown`, with the error. A run that did not complete is `unknown` where nothing is violated.
    """
    try:
        facts = Facts(history)
    except Exception as error:  # a broken history is undecided, and must not end a search
        return [_failed(name, error) for name in INVARIANTS]
    asked = set(INVARIANTS if facts.start.get("judged") is None else facts.start["judged"])
    if only is not None:
        asked &= set(only)
    judgements = [
        _judge_one(facts, name) if name in asked else Judgement(name, Verdict.UNKNOWN, applicable=False)
        for name in INVARIANTS
    ]
    return _explain(facts, judgements)


def overall(judgements: Iterable[Judgement]) -> Verdict:
    """The verdict over many judgements of one invariant; those that do not apply are left out."""
    return combine(judgement.verdict for judgement in judgements if judgement.applicable)


def _judge_one(facts: Facts, name: str) -> Judgement:
    try:
        finding = JUDGES[name](facts)
    except Exception as error:  # a judge that crashed has decided nothing
        return _failed(name, error)
    if finding.violations:
        return Judgement(name, Verdict.VIOLATED, applicable=True, violations=finding.violations)
    if not facts.complete:
        return Judgement(name, Verdict.UNKNOWN, applicable=not finding.ruled_out)
    return Judgement(name, Verdict.HOLDS if finding.applicable else Verdict.UNKNOWN, finding.applicable)


def _failed(name: str, error: Exception) -> Judgement:
    return Judgement(name, Verdict.UNKNOWN, applicable=True, error=f"{type(error).__name__}: {error}")


def _explain(facts: Facts, judgements: list[Judgement]) -> list[Judgement]:
    """Give violations that a named race explains its sentence, its events and its name."""
    violated = {each.invariant for each in judgements if each.violations}
    if not violated:
        return judgements
    try:
        matches = matches_in(facts, invariants=violated)
    except Exception as error:  # the verdict stands without its explanation, and says that this is missing
        told = f"no race was looked for: {type(error).__name__}: {error}"
        return [replace(each, error=told) if each.violations else each for each in judgements]
    return [
        replace(each, violations=tuple([_explained(violation, matches) for violation in each.violations]))
        for each in judgements
    ]


def _explained(violation: Violation, matches: list[RaceMatch]) -> Violation:
    for match in matches:
        if match.invariant == violation.invariant and set(match.messages) & set(violation.messages):
            return replace(violation, explanation=match.explanation, events=match.events, cause=match.race)
    return violation
