"""The processor of a load: takes batches over HTTP, works for a while, has its effect, and writes down what it saw.

It keeps the rules that a hand-over may rely on, the same as in the simulation: one effect a key, a hand-over whose key is
at work joins it, and a fence lower than the highest seen for the conversation is refused.
"""

import asyncio
import json
import random
from collections.abc import Mapping

from engine.buffer.runtime import header_value
from engine.load.log import Log
from engine.load.wire import HttpServer, Reply

DONE: Reply = (200, b'{"success":true}')
STALE: Reply = (409, b'{"success":false}')


class Processor:
    """The receiving end. It works between `work_seconds` (least, most), drawn evenly."""

    def __init__(self, log: Log, work_seconds: tuple[float, float], seed: str) -> None:
        self._log = log
        self._work_seconds = work_seconds
        self._random = random.Random(seed)
        self._server = HttpServer(self._hand_over)
        self._done: set[str] = set()
        self._at_work: dict[str, asyncio.Future[Reply]] = {}
        self._fences: dict[tuple[str, str], int] = {}
        self._calls = 0
        #: Messages, as (instance, phone, id), that had their effect.
        self.effects: set[tuple[str, str, str]] = set()
        #: When something last came or ended here, in the log's seconds.
        self.last_seen = 0.0

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    async def start(self, host: str) -> None:
        """Listen."""
        await self._server.start(host)

    async def stop(self) -> None:
        """Stop; what is at work is dropped."""
        await self._server.stop()

    async def _hand_over(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self.last_seen = self._log.seconds()
        batch = json.loads(body)
        names = (batch["instanceName"], batch["userPhone"])
        messages = [{"id": m["messageId"], "text": m["text"], "data": m["data"]} for m in batch["messages"]]
        key = header_value(headers["idempotency-key"]) if "idempotency-key" in headers else None
        fence = int(headers["fencing-token"]) if "fencing-token" in headers else None
        self._calls += 1
        # A request that is sent again over a new connection is a hand-over of its own.
        call = f"{headers.get('x-request-id', '')}#{self._calls}"
        fields = {"call": call, "conversation": list(names), "messages": messages, "key": key, "fence": fence}
        self._log("handover.sent", function=call.partition("-h")[0], **fields)
        self._log("handover.arrived", **fields)
        reply = await self._answer(call, names, messages, key, fence)
        self.last_seen = self._log.seconds()
        if reply is DONE:
            self._log("handover.confirmed", call=call, function=call.partition("-h")[0])
        return reply

    async def _answer(
        self, call: str, names: tuple[str, str], messages: list[dict[str, object]], key: str | None, fence: int | None
    ) -> Reply:
        highest = self._fences[names] = max(fence or 0, self._fences.get(names, 0))
        # The key comes before the fence: what is done is answered at once, whatever the hand-over carries.
        if key is not None and key in self._done:
            self._log("handover.repeated", call=call, key=key)
            self._log("handover.ended", call=call, outcome="repeated")
            return DONE
        if key is not None and key in self._at_work:
            self._log("handover.joined", call=call, key=key)
            reply = await asyncio.shield(self._at_work[key])
            self._log("handover.ended", call=call, outcome="joined")
            return reply
        if fence is not None and fence < highest:
            self._log("handover.stale", call=call, fence=fence, highest=highest)
            self._log("handover.ended", call=call, outcome="stale")
            return STALE
        return await self._work(call, names, messages, key)

    async def _work(
        self, call: str, names: tuple[str, str], messages: list[dict[str, object]], key: str | None
    ) -> Reply:
        ended: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        if key is not None:
            self._at_work[key] = ended
        await asyncio.sleep(self._random.uniform(*self._work_seconds))
        if key is not None:
            self._done.add(key)
            del self._at_work[key]
        self.effects.update((*names, str(message["id"])) for message in messages)
        self._log("handover.effect", call=call, conversation=list(names), messages=messages, key=key)
        self._log("handover.ended", call=call, outcome="done")
        ended.set_result(DONE)
        return DONE
