"""Small strategies that show what the simulated world does to them. None of them is a good design."""

import asyncio
from typing import Any

from redis.exceptions import RedisError, WatchError

from engine.buffer import Conversation, Delivery, HandOverError, Message, Receipt, Strategy


class Sets(Strategy):
    """Writes one key for a message; a Redis error is noted and raised."""

    name = "sets"

    async def receive(self, message: Message) -> Receipt:
        self.runtime.note("received", clock=self.runtime.now())
        try:
            await self.runtime.redis.set("key", message.text)
        except RedisError as error:
            self.runtime.note("error", kind=type(error).__name__)
            raise
        self.runtime.note("done")
        return Receipt()


class Stubborn(Sets):
    """Writes until it succeeds, with half a second in between."""

    async def receive(self, message: Message) -> Receipt:
        while True:
            try:
                await super().receive(message)
            except RedisError:
                await self.runtime.sleep(0.5)
            else:
                return Receipt()


class CleansBelow(Strategy):
    """What it waits for waits in its `finally`, as leaving `async with redis.pipeline()` does."""

    name = "cleans_below"

    async def receive(self, message: Message) -> Receipt:
        """A coroutine in a coroutine."""
        await self.below()
        return Receipt()

    async def below(self) -> None:
        """A transaction that is broken off as it watches, inside of another coroutine."""
        async with self.runtime.redis.pipeline(transaction=True) as pipe:
            await pipe.watch("key")
            await self.further_below()

    async def further_below(self) -> None:
        """Where it is broken off."""
        await self.runtime.redis.set("key", "value")


class Cleans(Strategy):
    """Says goodbye in a `finally`, to Redis and to the history."""

    name = "cleans"

    async def receive(self, message: Message) -> Receipt:
        try:
            await self.runtime.redis.set("key", "1")
            await self.runtime.sleep(1)
        finally:
            self.runtime.note("goodbye")
            await self.runtime.redis.set("goodbye", "1")
            self.runtime.start(self.runtime.sleep(1))
        return Receipt()


class Sleeps(Strategy):
    """Sleeps a second before it answers, and notes when it awoke."""

    name = "sleeps"

    async def receive(self, message: Message) -> Receipt:
        await self.runtime.sleep(1)
        self.runtime.note("awake")
        return Receipt()


class Scripted(Strategy):
    """Counts in a script, by EVALSHA with redis-py's own fallback."""

    name = "scripted"

    async def receive(self, message: Message) -> Receipt:
        script = self.runtime.redis.register_script("-- COUNT: one more\nreturn redis.call('INCR', KEYS[1])")
        self.runtime.note("counted", count=await script(keys=["count"]))
        return Receipt()


class HandsOver(Strategy):
    """Hands each message over at once, with its id as the key, and tries again until it is confirmed."""

    name = "hands_over"
    attempts = 1

    async def receive(self, message: Message) -> Receipt:
        for _ in range(self.attempts):
            try:
                await self.runtime.hand_over([message], key=message.message_id)
            except HandOverError as error:
                self.runtime.note("error", kind=type(error).__name__)
            else:
                return Receipt()
        return Receipt(success=False)


class HandsOverInTheBackground(HandsOver):
    """The same, after it has answered; four attempts."""

    attempts = 4

    async def receive(self, message: Message) -> Receipt:
        self.runtime.start(super().receive(message))
        return Receipt()


class Fences(Strategy):
    """Hands a message over with its text as the fence."""

    name = "fences"

    async def receive(self, message: Message) -> Receipt:
        try:
            await self.runtime.hand_over([message], key=message.message_id, fence=int(message.text))
        except HandOverError as error:
            self.runtime.note("error", kind=type(error).__name__)
        return Receipt()


class SharesAKey(Strategy):
    """Hands every message over under one key."""

    name = "shares_a_key"

    async def receive(self, message: Message) -> Receipt:
        await self.runtime.hand_over([message], key="the key")
        return Receipt()


class PostsDeliveries(Strategy):
    """Posts a delivery for each message and notes what came back."""

    name = "posts_deliveries"

    async def receive(self, message: Message) -> Receipt:
        self.runtime.start(self._post(message.conversation))
        return Receipt()

    async def _post(self, conversation: Conversation) -> None:
        status, body = await self.runtime.post_delivery(conversation)
        self.runtime.note("posted", status=status, body=body)

    async def deliver(self, conversation: Conversation) -> Delivery:
        return Delivery(processed=7)


class Transacts(Strategy):
    """Increments two keys in one MULTI/EXEC."""

    name = "transacts"
    transaction = True

    async def receive(self, message: Message) -> Receipt:
        pipeline = self.runtime.redis.pipeline(transaction=self.transaction)
        pipeline.incr("one")
        pipeline.incr("two")
        try:
            self.runtime.note("counts", counts=await pipeline.execute())
        except RedisError as error:
            self.runtime.note("error", text=str(error))
        return Receipt()


class Pipelines(Transacts):
    """The same in a pipeline that is no transaction."""

    transaction = False


class Watches(Strategy):
    """Reads a key under WATCH and writes it one second later, with a comma and its own message appended."""

    name = "watches"

    async def receive(self, message: Message) -> Receipt:
        async with self.runtime.redis.pipeline() as pipeline:
            await pipeline.watch("key")
            before: Any = await pipeline.get("key")
            await self.runtime.sleep(1)
            pipeline.multi()  # type: ignore[no-untyped-call]
            pipeline.set("key", (before or b"") + message.text.encode())
            try:
                await pipeline.execute()
            except WatchError:
                self.runtime.note("conflict", id=message.message_id)
                return Receipt(success=False)
        return Receipt()


class Waits(Strategy):
    """The message `take` waits for an entry of a list, as long as its data says; others push their text."""

    name = "waits"

    async def receive(self, message: Message) -> Receipt:
        if message.text == "take":
            try:
                self.runtime.note("taken", entry=await self.runtime.redis.blpop(["first", "list"], message.data))
            except RedisError as error:
                self.runtime.note("error", kind=type(error).__name__)
        else:
            await self.runtime.redis.rpush("list", message.text)
        return Receipt()


class NeverReturns(Strategy):
    """Waits for a thing that nobody does."""

    name = "never_returns"

    async def receive(self, message: Message) -> Receipt:
        await asyncio.get_running_loop().create_future()
        return Receipt()


class NeverEndsItsTick(Strategy):
    """Its second function's first tick hangs."""

    name = "never_ends_its_tick"
    tick_ms = 1_000

    async def receive(self, message: Message) -> Receipt:
        await self.runtime.hand_over([message])
        return Receipt()

    async def tick(self) -> None:
        if self.runtime.name == "f2":
            await asyncio.get_running_loop().create_future()


class Spins(Strategy):
    """Yields without end, at one instant."""

    name = "spins"

    async def receive(self, message: Message) -> Receipt:
        while True:
            await self.runtime.sleep(0)


class Breeds(Strategy):
    """Starts tasks without end."""

    name = "breeds"

    async def receive(self, message: Message) -> Receipt:
        while True:
            self.runtime.start(self.runtime.sleep(1))


class Computes(Strategy):
    """Never awaits, and catches all that it can."""

    name = "computes"

    async def receive(self, message: Message) -> Receipt:
        while True:
            try:
                sum(range(1_000))
            except Exception as error:
                self.runtime.note("caught", kind=type(error).__name__)


class ComputesInLua(Strategy):
    """Runs a script that never ends."""

    name = "computes_in_lua"

    async def receive(self, message: Message) -> Receipt:
        await self.runtime.redis.eval("while true do end", 0)
        return Receipt()


class Polls(Strategy):
    """Polls Redis without end, a millisecond apart."""

    name = "polls"

    async def receive(self, message: Message) -> Receipt:
        while True:
            await self.runtime.sleep(0.001)


class Sweeps(Strategy):
    """Keeps a message in a list; a tick hands over what is there, one by one."""

    name = "sweeps"
    tick_ms = 1_000

    async def receive(self, message: Message) -> Receipt:
        await self.runtime.redis.rpush("list", f"{message.message_id}:{message.text}")
        return Receipt()

    async def tick(self) -> None:
        entry: Any = await self.runtime.redis.lindex("list", 0)
        if entry is not None:
            message_id, _, text = entry.decode().partition(":")
            conversation = Conversation(instance_name="bot", user_phone="4915110000001")
            message = Message(conversation=conversation, message_id=message_id, text=text)
            await self.runtime.hand_over([message], key=message_id)
            await self.runtime.redis.lrem("list", 1, entry)
