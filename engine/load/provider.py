"""The provider of a load: an open loop. Every message is sent at its instant, whatever became of the others.

A loop that waits for answers sends less while the service is slow, and so never sees what was slow ("coordinated
omission"). For the same reason a latency counts from the instant at which the message was meant to be sent.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence

from hdrh.histogram import HdrHistogram

from engine.load.log import Log
from engine.load.wire import Client
from engine.load.workload import Arrival

#: How often a call that was not answered 2xx is sent, and the wait before the second time, doubled each time.
SENDINGS = 6
AGAIN_MS = 1_000
WEBHOOK = "/webhook"
HEADERS = {"content-type": "application/json"}


def latencies() -> HdrHistogram:
    """A histogram of microseconds: 1 µs to an hour, three digits."""
    return HdrHistogram(1, 3_600_000_000, 3)


class Provider:
    """Sends all arrivals. `timeout_seconds`: how long it waits for an answer; `scale`: on its waits between sendings."""

    def __init__(self, log: Log, client: Client, *, timeout_seconds: float, scale: float) -> None:
        self._log = log
        self._client = client
        self._timeout_seconds = timeout_seconds
        self._scale = scale
        self._calls = 0
        self.add = latencies()
        #: Calls that were not answered 2xx, by status or by what broke.
        self.errors: Counter[str] = Counter()
        #: Messages, as (instance, phone, id), by the instant at which they were sent first and accepted.
        self.sent: dict[tuple[str, str, str], float] = {}
        self.accepted: dict[tuple[str, str, str], float] = {}
        self.repeats = 0

    async def run(self, arrivals: Sequence[Arrival]) -> None:
        """Send all of them, and wait until each was accepted or given up."""
        began = self._log.seconds()
        async with asyncio.TaskGroup() as calls:
            for arrival in arrivals:
                ahead = began + arrival.at_seconds - self._log.seconds()
                if ahead > 0:
                    await asyncio.sleep(ahead)
                calls.create_task(self._send(arrival, began + arrival.at_seconds))

    async def _send(self, arrival: Arrival, intended: float) -> None:
        name = (arrival.instance_name, arrival.user_phone, arrival.message_id)
        body = json.dumps(
            {
                "instance_name": arrival.instance_name,
                "user_phone": arrival.user_phone,
                "message_id": arrival.message_id,
                "text": arrival.text,
                "data": arrival.data,
            }
        ).encode()
        self.sent[name] = self._log.seconds()
        for attempt in range(SENDINGS):
            if await self._accepted(arrival, body, attempt + 1):
                self.accepted[name] = self._log.seconds()
                self.add.record_value(max(1, round((self.accepted[name] - intended) * 1_000_000)))
                return
            if attempt + 1 < SENDINGS:
                await asyncio.sleep(AGAIN_MS * 2**attempt * self._scale / 1_000)
                self.repeats += 1

    async def _accepted(self, arrival: Arrival, body: bytes, attempt: int) -> bool:
        self._calls += 1
        call = f"w{self._calls}"
        self._log(
            "webhook.sent",
            call=call,
            conversation=[arrival.instance_name, arrival.user_phone],
            id=arrival.message_id,
            text=arrival.text,
            data=arrival.data,
            attempt=attempt,
            label=arrival.message_id,
        )
        self._log("webhook.arrived", call=call, function="")
        try:
            status, _ = await self._client.post(WEBHOOK, HEADERS, body, self._timeout_seconds)
        except (OSError, TimeoutError) as error:
            self._log("webhook.failed", call=call, error=type(error).__name__)
            self.errors[type(error).__name__] += 1
            return False
        self._log("webhook.answered", call=call, function="", status=status)
        self._log("webhook.confirmed", call=call, status=status)
        if not 200 <= status < 300:
            self.errors[str(status)] += 1
        return 200 <= status < 300
