"""Remembers in the function what Redis has confirmed, keeps nothing else there; tasks by asyncio; an answer at once."""

import asyncio
import logging
from collections import OrderedDict
from typing import Any, ClassVar

from due_index import DueIndex

from engine.buffer import Message, Receipt

log = logging.getLogger(__name__)


class Cached(DueIndex):
    """A cache of ids that are known to be buffered, for the burst of repeats of an impatient provider."""

    name = "cached"
    tick_ms: ClassVar[int | None] = 700

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self._known: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._slots = asyncio.Semaphore(4)
        self._wake = asyncio.Event()
        self._last = runtime.now()

    async def receive(self, message: Message) -> Receipt:
        who = (message.conversation.instance_name, message.conversation.user_phone, message.message_id)
        now = asyncio.get_running_loop().time()
        if self._known.get(who, -10.0) > now - 5.0:
            log.debug("a repeat of %s", who)
            return Receipt(success=True)
        async with self._slots:
            receipt = await super().receive(message)
        self._known[who] = now
        while len(self._known) > 100:
            self._known.popitem(last=False)
        return receipt
