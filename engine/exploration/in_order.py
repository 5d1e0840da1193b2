"""In order everywhere, except that some steps wait for others: the form of a stepped schedule that one can shrink and read.

A recorded schedule counts choices (`next#7`: 2), so that taking one away changes what all later ones mean. Here a schedule
is a set of *delays* by name, "this step waits until that one has happened": `f1 GET buffer reply#1` → `f2 SETEX buffer
request#1`. Each can be taken away by itself, and reads as a clause.

`Overtaking` finds the delays of any run: a step waits for the last of the younger ones that happened before it. `InOrder`
makes the run again from them: it takes the step that is pending longest and waits for nothing. Together they give the
same run back. Let T be the step that happened next. Every older pending step was overtaken by T, so the last one that it
waits for is T or a later one: it still waits. All that T waits for has happened, so T is taken.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from engine.exploration.scheduler import Draw, Pending, Replay, Scheduler


class Numbering:
    """Steps by name and number, in the order in which a policy first saw them pending (or happen, if it was not asked)."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()
        self._keys: dict[Pending, str] = {}

    def __getitem__(self, step: Pending) -> str:
        """The name and number of a step."""
        key = self._keys.get(step)
        if key is None:
            self._count[step.name] += 1
            key = self._keys[step] = f"{step.name}#{self._count[step.name]}"
        return key


class Overtaking:
    """Listens to one run: which step waited for which."""

    def __init__(self) -> None:
        self.number = Numbering()
        self.delays: dict[str, str] = {}
        self._passed: Sequence[str] = ()
        self._chosen: Pending | None = None
        self._waits_for: dict[str, str] = {}

    def chose(self, steps: Sequence[Pending], index: int) -> None:
        """One of several pending steps was chosen; it happens now, unless it is held."""
        keys = [self.number[step] for step in steps]
        self._passed, self._chosen = keys[:index], steps[index]

    def held(self, key: str) -> None:
        """The chosen step is held: the older ones wait for that, as which instants are known may hang on it."""
        self._waits_for.update(dict.fromkeys(self._passed, key))
        self._passed, self._chosen = (), None

    def note_step(self, step: Pending) -> str:
        """A step happens, whether it was chosen or the only one. Returns its name and number."""
        key = self.number[step]
        if step is self._chosen:
            self._waits_for.update(dict.fromkeys(self._passed, key))
        self._passed, self._chosen = (), None
        awaited = self._waits_for.pop(key, None)
        if awaited is not None:
            self.delays[key] = awaited
        return key


class InOrder:
    """Takes steps in the order in which they became pending, but for the delays; numbers are given back by key."""

    def __init__(self, numbers: Mapping[str, int], delays: Mapping[str, str], *, stepped: bool) -> None:
        self.stepped = stepped
        self._numbers: Scheduler = Replay(numbers, stepped=stepped)
        self._delays = delays
        self._by_position = any(key.startswith("next#") for key in numbers)
        self._number = Numbering()
        self._happened: set[str] = set()

    def new_run(self, run: int) -> bool:
        """There is one run."""
        self._number = Numbering()
        self._happened.clear()
        return self._numbers.new_run(run)

    def note_step(self, step: Pending) -> None:
        """A step happens."""
        self._happened.add(self._number[step])

    def next_step(self, steps: Sequence[Pending]) -> int:
        """The first that waits for nothing; the first of all, if each waits for something that cannot happen now.

        A schedule whose order could not be said by delays is still given back by position.
        """
        if self._by_position:
            return self._numbers.next_step(steps)
        awaited = [self._delays.get(self._number[step]) for step in steps]
        return next((i for i, each in enumerate(awaited) if each is None or each in self._happened), 0)

    def number(self, draw: Draw) -> int:
        """The recorded number, or the default."""
        value = self._numbers.number(draw)
        if value and draw.key.startswith("hold "):
            self._happened.add(draw.key)
        return value
