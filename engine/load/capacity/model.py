"""The model: one server, function instances, and the bursts of one slice of a day, in SimPy's time (seconds)."""

import random
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import simpy

from engine.load.capacity.day import Slice
from engine.load.capacity.designs import TICK_REQUEST, TICK_SECONDS, Request
from engine.load.capacity.measured import Measured

Steps = Generator[simpy.Event, Any, Any]


@dataclass(frozen=True)
class Platform:
    """Where the functions run.

    `instances`: how many there may be at a time. On an edge platform each serves one call at a time and lives as long as its
    call, its timer included; where they are processes of one machine (`cores` > 0) each serves any number and they share its
    CPUs. `hop_seconds`: None for what the load has measured.
    """

    instances: int = 1_000
    cold_start_seconds: float = 0.25
    keep_warm_seconds: float = 300
    cores: int = 0
    hop_seconds: float | None = 0.001
    delay_seconds: float = 8
    processor_seconds: tuple[float, float] = (1, 5)
    tick_seconds: float = TICK_SECONDS
    #: How many functions tick.
    tickers: int = 1


@dataclass
class Figures:
    """What one slice came to. Times in seconds."""

    messages: int = 0
    batches: int = 0
    invocations: int = 0
    cold_starts: int = 0
    requests: int = 0
    server_busy: float = 0
    #: Of it, for sweeps, which come by the clock and not by messages.
    sweeps_busy: float = 0
    server_waits: list[float] = field(default_factory=list)
    instance_seconds: float = 0
    instances_most: int = 0
    adds: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    lost: int = 0


class Model:
    """One slice under one design."""

    def __init__(self, design: Measured, platform: Platform, seed: str) -> None:
        self._design = design
        self._requests = design.requests
        self._platform = platform
        self._rng = random.Random(seed)
        self.env = simpy.Environment()
        self.server = simpy.Resource(self.env, capacity=1)
        self._places = simpy.Resource(self.env, capacity=platform.instances)
        self._cpus = simpy.Resource(self.env, capacity=platform.cores) if platform.cores else None
        self._warm: deque[float] = deque()  # since when idle instances are idle, the longest first
        self.figures = Figures()
        self._step_seconds = design.function_step_us / 1e6
        self._hop = design.hop_us / 1e6 if platform.hop_seconds is None else platform.hop_seconds
        self._seconds = 0.0

    def run(self, traffic: Slice) -> Figures:
        """Let the slice's messages come, and all that follows from them."""
        self._seconds = traffic.seconds
        self._warm = deque([0.0] * min(self._platform.instances, self._already_warm(traffic.rate_per_s)))
        for burst in traffic.bursts:
            self.env.process(self._person(burst.at_seconds, burst.after_seconds))
        if self._requests.tick:
            for number in range(self._platform.tickers):
                self.env.process(self._ticks(number))
        self.env.run()
        return self.figures

    def _already_warm(self, rate: float) -> int:
        """Instances that the time before the slice has left warm: as many as are busy at this rate on the average."""
        busy_seconds = (
            self._platform.delay_seconds + sum(self._platform.processor_seconds)
        ) / self._design.messages_per_batch
        return round(rate * busy_seconds)

    # -- people ------------------------------------------------------------------------------------------------------

    def _person(self, at: float, after: Sequence[float]) -> Steps:
        """One person's burst: who joins which batch follows from when the messages come."""
        yield self.env.timeout(at)
        person = _Person()
        begun = self.env.now
        for offset in after:
            yield self.env.timeout(max(0.0, begun + offset - self.env.now))
            self.env.process(self._message(person))

    def _message(self, person: "_Person") -> Steps:
        sent = self.env.now
        self.figures.messages += 1
        instance = yield from self._call()
        for request in self._requests.add:
            yield from self._ask(request)
        immediate = self._requests.during == "immediate" and person.closed_until > self.env.now
        created = False
        if immediate:
            yield from self._process([sent])
        elif person.buffer is not None:
            person.buffer.append(sent)
        elif self._requests.during == "lost" and person.at_work:
            self.figures.lost += 1
        else:
            created, person.buffer = True, [sent]
            for request in self._requests.created:
                yield from self._ask(request)
        self.figures.adds.append(self.env.now - sent)
        if created:
            yield from self._timer(person)
        self._leave(instance)

    def _timer(self, person: "_Person") -> Steps:
        """The window, in the memory of the function that created the buffer; then the delivery, on another one."""
        yield self.env.timeout(self._platform.delay_seconds)
        instance = yield from self._call()
        for request in self._requests.before:
            yield from self._ask(request)
        batch, person.buffer = person.buffer or [], None
        person.at_work += 1
        if self._requests.during == "immediate":
            person.closed_until = self.env.now + self._requests.closed_seconds
        yield from self._process(batch)
        for request in self._requests.after:
            yield from self._ask(request)
        person.at_work -= 1
        self._leave(instance)
        for request in self._requests.confirmed:
            yield from self._ask(request)

    def _process(self, batch: list[float]) -> Steps:
        self.figures.batches += 1
        yield self.env.timeout(self._rng.uniform(*self._platform.processor_seconds))
        self.figures.answers += [self.env.now - sent for sent in batch]

    # -- functions and the server ------------------------------------------------------------------------------------

    def _call(self) -> Steps:
        """A call of a function: an instance for it, cold or warm, and its own work. Returns the instance."""
        self.figures.invocations += 1
        place = self._places.request()
        yield place
        began = self.env.now
        self.figures.instances_most = max(self.figures.instances_most, self._places.count)
        oldest = began - self._platform.keep_warm_seconds
        while self._warm and self._warm[0] < oldest:
            self._warm.popleft()
        if self._warm:
            self._warm.pop()
        else:
            self.figures.cold_starts += 1
            yield self.env.timeout(self._platform.cold_start_seconds)
        yield self.env.timeout(self._hop)
        yield from self._work()
        return place, began

    def _leave(self, instance: tuple[Any, float]) -> None:
        place, began = instance
        self._places.release(place)
        self._warm.append(self.env.now)
        self.figures.instance_seconds += self.env.now - began

    def _work(self) -> Steps:
        """A step's CPU: the instance's own, or one of the machine's."""
        if self._cpus is None:
            yield self.env.timeout(self._step_seconds)
            return
        with self._cpus.request() as cpu:
            yield cpu
            yield self.env.timeout(self._step_seconds)

    def _ask(self, request: Request) -> Steps:
        """A round trip: there, the queue, the execution, and back."""
        yield from self._work()
        yield self.env.timeout(self._hop)
        arrived = self.env.now
        with self.server.request() as turn:
            yield turn
            service = self._design.server_us(request) / 1e6
            # All that the slice's messages need is counted, also what comes after its end: a slice stands for a steady hour, into
            # which as much reaches from before as reaches out of it.
            self.figures.requests += 1
            self.figures.server_busy += service
            if self.env.now < self._seconds:
                self.figures.server_waits.append(self.env.now - arrived)
            yield self.env.timeout(service)

    def _ticks(self, number: int) -> Steps:
        yield self.env.timeout(self._platform.tick_seconds * (number + 1) / self._platform.tickers)
        while self.env.now < self._seconds:
            for _ in range(self._requests.tick):
                yield from self._ask(TICK_REQUEST)
                self.figures.sweeps_busy += self._design.server_us(TICK_REQUEST) / 1e6
            yield self.env.timeout(self._platform.tick_seconds)


class _Person:
    """One conversation: the open buffer (when each of its messages was sent), and what is at the processor."""

    def __init__(self) -> None:
        self.buffer: list[float] | None = None
        self.at_work = 0
        self.closed_until = -1.0
