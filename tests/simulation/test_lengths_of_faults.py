"""What a policy is told of a fault's length, so that it can let it end at a moment of its choice."""

from engine.exploration import RandomWalk
from engine.exploration.scheduler import Draw
from scenarios.batch import Plan
from scenarios.running import run_case
from scenarios.selection import find_strategy


class Listening(RandomWalk):
    """A random walk that keeps the questions for lengths and times."""

    def __init__(self) -> None:
        super().__init__("0")
        self.asked: list[Draw] = []

    def number(self, draw: Draw) -> int:
        if draw.key.startswith(("stall ", "until ")):
            self.asked.append(draw)
        return super().number(draw)


def test_a_stall_comes_on_top_of_its_hop_s_window_and_what_is_held_goes_on_at_one_of_the_times_offered() -> None:
    plan, heard = Plan(strategy="lease", scenario="fault_stall", policy="random", seed=0), set[str]()
    for number in range(6):
        case, walk = plan.case(number), Listening()
        assert case is not None
        walk.new_run(number)
        run_case(case, find_strategy("lease"), walk)
        for draw in walk.asked:
            heard.add(draw.key.split()[0])
            if draw.key.startswith("stall "):
                assert draw.base_ms == case.hop_ms[1]
            else:
                assert len(draw.instants_ms) == draw.high + 1
                assert list(draw.instants_ms) == sorted(draw.instants_ms)
    assert heard == {"stall", "until"}
