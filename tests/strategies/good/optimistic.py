"""WATCH, read, decide, MULTI/EXEC: a conversation is one JSON document, and a loser of the race tries again."""

import json
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from redis.exceptions import WatchError
from shelf import conversation_of, name_of, packed, unpacked

from engine.buffer import Conversation, Delivery, HandOverError, HandOverRefused, Message, Receipt, Strategy

T = TypeVar("T")
Document = dict[str, Any]
OPEN = "open"


class Optimistic(Strategy):
    """Delivers through the endpoint from a timer; a tick looks at the set of open conversations as a safety net."""

    name = "optimistic"
    tick_ms: ClassVar[int | None] = 15_000

    async def receive(self, message: Message) -> Receipt:
        """Add the message to its conversation's document."""

        def add(document: Document, now_ms: int) -> bool:
            if message.message_id in document["seen"]:
                return False
            document["seen"].append(message.message_id)
            document["pending"].append(packed(message))
            if len(document["pending"]) == 1:
                document["due"] = now_ms + self.runtime.settings.buffer_delay_ms
            return len(document["pending"]) == 1

        created = await self._change(message.conversation, add)
        if created:
            self.runtime.start(self._later(message.conversation, self.runtime.settings.buffer_delay_ms / 1000))
        return Receipt(buffer_created=created)

    async def deliver(self, conversation: Conversation) -> Delivery:
        """Claim a batch, hand it over, settle it."""
        claim = await self._change(conversation, self._claim)
        if claim is None:
            return Delivery()
        messages = [unpacked(payload, conversation) for payload in claim["payloads"]]
        try:
            await self.runtime.hand_over(messages, key=claim["key"], fence=claim["fence"])
        except HandOverRefused:
            return Delivery(success=False)
        except HandOverError as error:
            if claim["tries"] < self.runtime.settings.max_retry_attempts:
                await self._change(conversation, lambda d, now: self._back(d, claim, now))
                return Delivery(success=False)
            await self.runtime.dead_letter(messages, str(error))
            await self._change(conversation, lambda d, now: self._done(d, claim))
            return Delivery(success=False)
        if await self._change(conversation, lambda d, now: self._done(d, claim)):
            self.runtime.start(self._later(conversation, self.runtime.settings.buffer_delay_ms / 1000))
        await self.runtime.report_status(conversation, "success")
        return Delivery(processed=len(messages))

    async def tick(self) -> None:
        """Look at every open conversation."""
        for name in sorted(await self.runtime.redis.smembers(OPEN)):
            self.runtime.start(self._later(conversation_of(name), 0))

    async def _later(self, conversation: Conversation, seconds: float) -> None:
        await self.runtime.sleep(seconds)
        await self.runtime.post_delivery(conversation)

    def _claim(self, document: Document, now_ms: int) -> Document | None:
        flight = document["flight"]
        if flight is None:
            if not document["pending"] or document["due"] > now_ms:
                return None
            document["batches"] += 1
            key = f"{self._token()}-{document['batches']}"
            flight = document["flight"] = {"key": key, "payloads": document["pending"], "tries": 0, "until": 0}
            document["pending"] = []
        elif flight["until"] > now_ms:
            return None
        document["fence"] += 1
        flight["fence"] = document["fence"]
        flight["until"] = now_ms + 150_000
        return dict(flight)

    def _back(self, document: Document, claim: Document, now_ms: int) -> bool:
        flight = document["flight"]
        if flight is None or flight["fence"] != claim["fence"]:
            return False
        flight["tries"] += 1
        flight["until"] = now_ms + 1_000 * 2 ** flight["tries"]
        return True

    def _done(self, document: Document, claim: Document) -> bool:
        if document["flight"] is None or document["flight"]["fence"] != claim["fence"]:
            return False
        document["flight"] = None
        return bool(document["pending"])

    def _token(self) -> str:
        return f"{self.runtime.random.getrandbits(64):016x}"

    async def _change(self, conversation: Conversation, change: Callable[[Document, int], T]) -> T:
        name = name_of(conversation)
        async with self.runtime.redis.pipeline() as pipe:
            while True:
                await pipe.watch(f"doc:{name}")
                raw: Any = await pipe.get(f"doc:{name}")
                document = (
                    json.loads(raw)
                    if raw
                    else {"pending": [], "flight": None, "seen": [], "due": 0, "batches": 0, "fence": 0}
                )
                seconds, micros = await pipe.time()
                result = change(document, seconds * 1000 + micros // 1000)
                over = not document["pending"] and document["flight"] is None
                pipe.multi()  # type: ignore[no-untyped-call]
                pipe.set(f"doc:{name}", json.dumps(document), ex=4_200 if over else None)
                if over:
                    pipe.srem(OPEN, name)
                else:
                    pipe.sadd(OPEN, name)
                try:
                    await pipe.execute()
                except WatchError:
                    await self.runtime.sleep(self.runtime.random.uniform(0.01, 0.1))
                    continue
                return result
