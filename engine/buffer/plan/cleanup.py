"""The plan's `cleanup_old_buffers`."""

from engine.buffer.plan.document import age_ms, load
from engine.buffer.plan.times import Times
from engine.buffer.runtime import Runtime


async def cleanup_old_buffers(runtime: Runtime, times: Times) -> int:
    """Delete buffers that were processed more than 600 s ago. Returns how many. Raises `RedisError`.

    A processed buffer lives PROCESSED_BUFFER_TTL (300 s), so there is nothing for it to find; and a new buffer that
    is written between the `GET` and the `DEL` goes with the old one. Both are the plan's.
    """
    removed = 0
    for key in await runtime.redis.keys("msg_buffer:*"):
        document = load(await runtime.redis.get(key))
        if document is None or not document["processed"] or "processedAt" not in document:
            continue
        if age_ms(document["processedAt"], runtime.now()) > times.cleanup_age_ms:
            await runtime.redis.delete(key)
            removed += 1
    return removed
