"""One run: a server, service processes, a provider and a processor; then the wait, the judges and the figures."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hdrh.histogram import HdrHistogram
from redis.exceptions import RedisError

from engine import verification
from engine.buffer.errors import UsageError
from engine.buffer.production import connect
from engine.load.chaos import Chaos
from engine.load.design import Design
from engine.load.log import Log
from engine.load.processor import Processor
from engine.load.provider import Provider, latencies
from engine.load.server import EmbeddedServer
from engine.load.server_stats import between, look, versions_of
from engine.load.services import HOST, Services
from engine.load.wire import Client
from engine.load.workload import Arrival

#: Told while a run goes on: what it does, how much is done, of how much.
Progress = Callable[[str, int, int], None]


@dataclass
class Outcome:
    """What one run showed, in a form to which the next round's can be added."""

    strategy: str
    seconds: float
    sent: int
    accepted: int
    repeats: int
    batches: int
    effects: int
    add: HdrHistogram
    beyond: HdrHistogram
    errors: dict[str, int]
    violations: dict[str, int]
    verdicts: dict[str, str]
    examples: dict[str, str]
    lost: int
    doubled: int
    service_cpu_seconds: float
    service_bytes: int
    server: dict[str, Any] | None
    server_version: str
    faults: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Load:
    """How a run is made. `redis_url`: None for an embedded server of its own."""

    design: Design
    arrivals: Sequence[Arrival]
    seconds: float
    processes: int
    seed: str
    redis_url: str | None = None
    chaos: bool = False

    async def run(self, progress: Progress) -> Outcome:
        """Run it. Raises `UsageError` for a server that cannot be used."""
        if self.redis_url is not None:
            await _check_empty(self.redis_url)
            try:
                return await self._on(self.redis_url, None, progress)
            finally:
                await _flush(self.redis_url)
        server = EmbeddedServer(appendonly=self.chaos)
        try:
            await asyncio.to_thread(server.start)
            return await self._on(server.url, server, progress)
        finally:
            await asyncio.to_thread(server.close)

    async def _on(self, url: str, server: EmbeddedServer | None, progress: Progress) -> Outcome:
        log = Log()
        log("start", **self.design.start_event(self.processes))
        processor = Processor(log, self.design.processor_seconds, f"{self.seed}/processor")
        await processor.start(HOST)
        chaos = Chaos(log, url, server, f"{self.seed}/chaos") if self.chaos else None
        redis_url = await chaos.start() if chaos else url
        settings = self.design.settings(PROCESSOR_URL=f"http://{HOST}:{processor.port}/process", REDIS_URL=redis_url)
        services = Services(self.design.strategy, self.processes, settings, _dead_letters_of(log))
        redis = connect(url)
        client = Client(HOST, services.port)
        try:
            await services.start()
            run = _Run(self, log, processor, services, chaos, client, progress)
            return await run.measured(redis)
        finally:
            client.close()
            if chaos:
                await chaos.stop()
            await services.stop()
            await processor.stop()
            await redis.aclose()


async def _check_empty(url: str) -> None:
    redis = connect(url)
    try:
        keys = await redis.dbsize()
    except (RedisError, OSError) as error:
        raise UsageError(f"the server cannot be asked ({error}): check --redis-url and that it runs") from None
    finally:
        await redis.aclose()
    if keys:
        raise UsageError(
            f"the database holds {keys} keys, and a load empties it at the end: give --redis-url an empty one"
        )


async def _flush(url: str) -> None:
    redis = connect(url)
    try:
        await redis.flushdb()
    finally:
        await redis.aclose()


def _dead_letters_of(log: Log) -> Callable[[dict[str, Any]], None]:
    def on_line(line: dict[str, Any]) -> None:
        if line.get("event") == "dead_letter":
            messages = [{"id": each, "text": None, "data": None} for each in line["ids"]]
            log("dead_letter", function="", conversation=line["conversation"], messages=messages, reason="")

    return on_line


class _Run:
    """A run whose parts stand."""

    def __init__(
        self,
        load: Load,
        log: Log,
        processor: Processor,
        services: Services,
        chaos: Chaos | None,
        client: Client,
        progress: Progress,
    ) -> None:
        self._load = load
        self._log = log
        self._processor = processor
        self._services = services
        self._chaos = chaos
        self._progress = progress
        timeout_seconds = load.design.webhook_timeout_seconds
        self._provider = Provider(log, client, timeout_seconds=timeout_seconds, scale=load.design.scale)

    async def measured(self, redis: Any) -> Outcome:
        before = await look(redis)
        cpu_before, began = self._services.cpu_seconds(), self._log.seconds()
        sending = asyncio.create_task(self._provider.run(self._load.arrivals))
        striking = None
        if self._chaos:
            striking = asyncio.create_task(self._chaos.strike(self._services, self._load.seconds))
        try:
            while not sending.done():
                await asyncio.wait({sending}, timeout=0.5)
                self._show("sending")
            await sending
            if striking:
                await striking
                self._log("healed")
            await self._settle()
        finally:
            for task in (sending, striking):
                if task is not None and not task.done():
                    task.cancel()
        after = await look(redis)
        return self._outcome(before, after, self._services.cpu_seconds() - cpu_before, self._log.seconds() - began)

    async def _settle(self) -> None:
        """Wait until every accepted message had its effect, or nothing more will come."""
        design, begun = self._load.design, self._log.seconds()
        while not self._provider.accepted.keys() <= self._processor.effects:
            now = self._log.seconds()
            quiet = now - max(begun, self._processor.last_seen)
            if quiet > design.quiet_seconds(faults=self._load.chaos) or now - begun > design.settle_limit_seconds:
                return
            self._show("settling")
            await asyncio.sleep(0.25)
        # A doubled answer comes later than the first one: the timers that would bring it have the window and a retry.
        await asyncio.sleep(design.delay_ms * 2 / 1_000 + design.processor_seconds[1])

    def _show(self, what: str) -> None:
        total = len(self._load.arrivals)
        done = len(self._provider.accepted) if what == "sending" else len(self._processor.effects)
        self._progress(f"{self._load.design.strategy}: {what}", min(done, total), total)

    def _outcome(self, before: dict[str, Any], after: dict[str, Any], cpu: float, seconds: float) -> Outcome:
        self._log("end", reason="quiet", completed=True, keys={})
        history = self._log.events
        judgements = [each for each in verification.judge(history) if each.applicable]
        accepted = self._provider.accepted
        counts: dict[tuple[str, str, str], int] = {}
        batches = 0
        for event in history:
            if event["event"] == "handover.effect":
                batches += 1
                for message in event["messages"]:
                    name = (*event["conversation"], message["id"])
                    counts[name] = counts.get(name, 0) + 1
        found = {each.invariant: each for each in judgements}
        same_server = after.get("run_id") == before.get("run_id")
        return Outcome(
            strategy=self._load.design.strategy,
            seconds=self._load.seconds,
            sent=len(self._provider.sent),
            accepted=len(accepted),
            repeats=self._provider.repeats,
            batches=batches,
            effects=len(self._processor.effects),
            add=self._provider.add,
            beyond=self._beyond_window(history),
            errors=dict(self._provider.errors),
            violations={name: len(each.violations) for name, each in found.items() if each.violations},
            verdicts={name: str(each.verdict) for name, each in found.items()},
            examples={name: each.violations[0].explanation for name, each in found.items() if each.violations},
            lost=len(found["no_loss"].violations) if "no_loss" in found else 0,
            doubled=sum(count > 1 for count in counts.values()),
            service_cpu_seconds=cpu,
            service_bytes=self._services.resident_bytes(),
            # A server that was restarted counts anew: what it says is then of no run.
            server=between(before, after, len(accepted)) if same_server else None,
            server_version=versions_of(after),
            faults=self._chaos.counts() if self._chaos else {},
        )

    def _beyond_window(self, history: list[dict[str, Any]]) -> HdrHistogram:
        """For each batch: from the end of its window (its first message's sending and the delay) to its effect."""
        beyond = latencies()
        delay_ms = self._load.design.delay_ms
        for event in history:
            if event["event"] == "handover.effect":
                sent = [self._provider.sent.get((*event["conversation"], m["id"])) for m in event["messages"]]
                known = [at for at in sent if at is not None]
                if known:
                    late_ms = event["t"] - (min(known) * 1_000 + delay_ms)
                    beyond.record_value(max(1, round(late_ms * 1_000)))
        return beyond
