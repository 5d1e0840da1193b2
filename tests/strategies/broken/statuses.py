"""Defects of what is reported of a batch."""

from typing import ClassVar

from core import Core, changed

from engine.buffer import HandOverError, Message


class SuccessFirst(Core):
    """Reports success before it hands over."""

    async def hand_over(self, messages: list[Message], key: str, fence: int) -> None:
        """Said too soon."""
        await self.runtime.report_status(messages[0].conversation, "success")
        await super().hand_over(messages, key, fence)


class SuccessAlways(Core):
    """Reports success whatever happened."""

    async def failed(self, name: bytes, fence: int, tries: int, messages: list[Message], error: HandOverError) -> None:
        """Settled as it should be, and called a success."""
        await super().failed(name, fence, tries, messages, error)
        await self.runtime.report_status(self.conversation_of(name), "success")


class FailedAlways(Core):
    """Reports failure of what went well."""

    async def settle(self, name: bytes, fence: int, messages: list[Message], back_off_ms: str = "") -> None:
        """Settled as it should be, and called a failure."""
        await super().settle(name, fence, messages, back_off_ms)
        await self.runtime.report_status(self.conversation_of(name), "failed")


class DeadAndSuccess(Core):
    """Gives up early and calls it a success."""

    SETTLE: ClassVar[str] = changed(Core.SETTLE, "if ARGV[3] ~= '' then", "if false then")

    async def failed(self, name: bytes, fence: int, tries: int, messages: list[Message], error: HandOverError) -> None:
        """Dropped."""
        await self.settle(name, fence, messages)
        await self.runtime.report_status(self.conversation_of(name), "success")


class SuccessForTheDead(Core):
    """Gives up as it should, and calls what has left the buffer a success."""

    async def failed(self, name: bytes, fence: int, tries: int, messages: list[Message], error: HandOverError) -> None:
        """Another try, or a dead letter and a success."""
        if tries < self.runtime.settings.max_retry_attempts:
            await super().failed(name, fence, tries, messages, error)
            return
        await self.runtime.dead_letter(messages, str(error))
        await self.settle(name, fence, messages)
        await self.runtime.report_status(self.conversation_of(name), "success")
