"""Who judges: histories, invariants, verdicts, named races. Reads histories and nothing else of the project."""

from engine.verification.history import Event, History, digest, from_bytes, read, to_bytes, write
from engine.verification.judge import INVARIANTS, judge, overall
from engine.verification.races import RACE_NAMES, RACES, Race, RaceMatch, find_races
from engine.verification.verdict import Judgement, Verdict, Violation, combine

__all__ = [
    "INVARIANTS",
    "RACES",
    "RACE_NAMES",
    "Event",
    "History",
    "Judgement",
    "Race",
    "RaceMatch",
    "Verdict",
    "Violation",
    "combine",
    "digest",
    "find_races",
    "from_bytes",
    "judge",
    "overall",
    "read",
    "to_bytes",
    "write",
]
