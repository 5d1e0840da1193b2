"""How `baseline` and `lock` process a buffer: the batch goes out with no claim held, and is marked afterwards."""

from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from engine.buffer.errors import HandOverError
from engine.buffer.model import Conversation, Delivery
from engine.buffer.plan.document import Document, batch_of, is_open, load
from engine.buffer.plan.keys import buffer_key
from engine.buffer.runtime import Runtime


async def read_for_add(runtime: Runtime, conversation: Conversation) -> Document | None:
    """The buffer as an add sees it: an error of the `GET` reads as "no buffer"."""
    try:
        return load(await runtime.redis.get(buffer_key(conversation)))
    except RedisError:
        runtime.note("read error taken for no buffer")
        return None


async def process_then_mark(
    runtime: Runtime, conversation: Conversation, mark_processed: Callable[[Conversation], Awaitable[bool]]
) -> Delivery:
    """Read, hand over, mark. Raises `HandOverError` (after marking all the same) and `RedisError`: both become 500."""
    document = load(await runtime.redis.get(buffer_key(conversation)))
    if document is None or not is_open(document):
        return Delivery()
    batch = batch_of(document, conversation)
    if batch:
        try:
            await runtime.hand_over(batch)
        except HandOverError:
            await mark_processed(conversation)
            raise
    await mark_processed(conversation)
    return Delivery(processed=len(batch))
