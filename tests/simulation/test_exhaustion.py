"""Exhaustive search against brute force: `dpor` reaches what every interleaving reaches, and runs no class twice."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from engine.exploration.dpor import Dpor
from engine.exploration.exhaustive import Exhaustive
from engine.exploration.tree import TreeWalk
from tests.simulation.programs import Command, class_of, outcomes

ADD = "redis.call('APPEND', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])"
HIDDEN = "return redis.call('INCR', 'hid' .. 'den')"
SHA = "0123456789012345678901234567890123456789"

PROGRAMS: Mapping[str, Mapping[str, Sequence[Command]]] = {
    "a lost update": {"a": [("GET", "k"), ("SET", "k", "a")], "b": [("GET", "k"), ("SET", "k", "b")]},
    "two times five on one key": {
        "a": [("INCR", "k"), ("GET", "k"), ("APPEND", "k", "1"), ("GET", "k"), ("DEL", "k")],
        "b": [("GET", "k"), ("INCR", "k"), ("GET", "k"), ("APPEND", "k", "2"), ("GET", "k")],
    },
    "two times five, mostly apart": {
        "a": [("SET", "x", "1"), ("GET", "x"), ("INCR", "k"), ("GET", "x"), ("DEL", "x")],
        "b": [("SET", "y", "1"), ("GET", "y"), ("INCR", "k"), ("GET", "y"), ("DEL", "y")],
    },
    "three times three readers and writers": {
        "a": [("GET", "x"), ("GET", "y"), ("SET", "x", "a")],
        "b": [("GET", "y"), ("SET", "y", "b"), ("GET", "z")],
        "c": [("GET", "z"), ("GET", "x"), ("SET", "z", "c")],
    },
    "three times three on lists": {
        "a": [("RPUSH", "l", "a"), ("LLEN", "m"), ("LPOP", "l")],
        "b": [("RPUSH", "m", "b"), ("LPOP", "l"), ("GET", "free")],
        "c": [("LLEN", "l"), ("SET", "free", "1")],
    },
    "a lock taken by one of three": {name: [("SET", "lock", name, "NX"), ("GET", "lock")] for name in "abc"},
    "a key that ends between two looks": {
        "a": [("SET", "k", "a", "PX", "5"), ("sleep", 5), ("GET", "k"), ("sleep", 1), ("GET", "k")],
        "b": [("GET", "k"), ("sleep", 5), ("SET", "k", "b", "XX"), ("sleep", 1), ("SET", "k", "c", "NX")],
    },
    "a script": {
        "a": [("EVAL", ADD, "1", "k", "a"), ("GET", "other")],
        "b": [("APPEND", "k", "b"), ("SET", "other", "b"), ("EVAL", ADD, "1", "k", "b")],
        "c": [("EVAL", ADD, "1", "k", "c")],
    },
    "a script that touches a key it does not declare": {
        "a": [("EVAL", HIDDEN, "0"), ("GET", "x")],
        "b": [("GET", "hidden"), ("SET", "x", "1"), ("DEL", "hidden")],
        "c": [("EVAL", HIDDEN, "0"), ("GET", "y")],
    },
    "a script cache": {
        "a": [("EVALSHA", SHA, "1", "k", "a"), ("EVAL", ADD, "1", "k", "a"), ("GET", "n")],
        "b": [("EVALSHA", SHA, "1", "k", "b"), ("EVAL", ADD, "1", "k", "b"), ("SET", "n", "1")],
    },
    "a transaction that watches": {
        "a": [("WATCH", "k"), ("GET", "k"), ("MULTI",), ("SET", "k", "a"), ("EXEC",)],
        "b": [("SET", "k", "b"), ("GET", "m"), ("DEL", "k")],
    },
    "all keys at once": {
        "a": [("SET", "x", "1"), ("KEYS", "*"), ("DEL", "x")],
        "b": [("SET", "y", "1"), ("DBSIZE",), ("GET", "y")],
        "c": [("GET", "z"), ("SET", "y", "2")],
    },
    "a crash": {
        "a": [("SET", "x", "a"), ("INCR", "n"), ("DEL", "x")],
        "b": [("GET", "x"), ("kill", "a"), ("GET", "x")],
        "c": [("INCR", "n"), ("GET", "y")],
    },
    "a command that may be left out": {
        "a": [("maybe", "SET", "k", "a"), ("GET", "k"), ("INCR", "n")],
        "b": [("maybe", "DEL", "k"), ("INCR", "n")],
        "c": [("GET", "k")],
    },
    "a crash that may be": {
        "a": [("INCR", "k"), ("SET", "x", "a"), ("INCR", "k")],
        "b": [("maybe", "SET", "x", "b"), ("kill", "a"), ("GET", "k")],
    },
}

every_program = pytest.mark.parametrize("programs", PROGRAMS.values(), ids=PROGRAMS)


@every_program
def test_dpor_reaches_the_same_outcomes_and_runs_each_class_once(programs: Mapping[str, Sequence[Command]]) -> None:
    classes: set[Any] = set()
    brute = outcomes(Exhaustive(bounds=(None,)), programs, lambda walk: classes.add(class_of(walk)))
    reduced: list[Any] = []
    walk = Dpor()
    assert outcomes(walk, programs, lambda each: reduced.append(class_of(each))) == brute
    assert walk.exhausted
    assert set(reduced) == classes
    assert walk.complete <= 1.2 * len(classes)


def test_a_search_says_how_many_interleavings_each_bound_has() -> None:
    walk = Exhaustive()
    outcomes(walk, {"a": [("GET", "x")] * 2, "b": [("GET", "y")] * 2})
    assert [(each.delays, each.runs) for each in walk.done] == [(0, 1), (1, 4), (None, 6)]
    assert walk.exhausted
    assert walk.classes == 6


def test_programs_that_share_nothing_have_one_class() -> None:
    walk = Dpor()
    outcomes(walk, {name: [("SET", name, "1"), ("GET", name)] for name in "abcd"})
    assert (walk.complete, walk.blocked) == (1, 0)


def test_a_search_that_is_stopped_is_not_exhausted() -> None:
    walk: TreeWalk = Dpor()
    assert walk.new_run(0)
    assert not walk.finished
