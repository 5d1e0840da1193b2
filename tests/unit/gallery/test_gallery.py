"""Each field design can be found by its id, says what would repair it, and answers a burst when nothing goes wrong."""

import importlib
import inspect
import sys

import pytest

from engine.buffer import Strategy
from scenarios.gallery import GALLERY
from scenarios.selection import find_strategy

DESIGNS = {
    "rpush_sleep_del",
    "leader_lock",
    "poll_timer_key",
    "watch_multi_token",
    "last_pusher_lua",
    "token_lock_drain",
}


def test_the_gallery_has_the_six_designs_found_in_the_field() -> None:
    assert set(GALLERY) == DESIGNS


@pytest.mark.parametrize("name", sorted(DESIGNS))
def test_a_design_is_found_by_its_id(name: str) -> None:
    found = find_strategy(name)
    assert issubclass(found, Strategy)
    assert found.name == name
    assert not inspect.isabstract(found)


@pytest.mark.parametrize("name", sorted(DESIGNS))
def test_a_design_says_its_sequence_and_what_would_repair_it(name: str) -> None:
    said = inspect.getdoc(importlib.import_module(GALLERY[name].partition(":")[0])) or ""
    assert said.startswith(f"`{name}`")
    assert "repair" in said


@pytest.mark.parametrize("name", sorted(DESIGNS))
def test_a_design_can_be_run_as_a_file_from_outside_too(name: str) -> None:
    module, _, class_name = GALLERY[name].partition(":")
    path = sys.modules[importlib.import_module(module).__name__].__file__
    assert find_strategy(f"{path}:{class_name}").name == name
