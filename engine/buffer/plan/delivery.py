"""The plan's delayed delivery: a timer in the memory of the function that created the buffer, then an HTTP call."""

import itertools
from datetime import timedelta

import httpx
from redis.exceptions import RedisError

from engine.buffer.model import Conversation
from engine.buffer.plan.document import iso
from engine.buffer.plan.keys import status_key, timer_key
from engine.buffer.plan.times import STATUS_TTL_SECONDS, Times
from engine.buffer.runtime import Runtime, encode


async def schedule_delivery(runtime: Runtime, times: Times, conversation: Conversation, *, retries: bool) -> None:
    """Write the timer key and start the delayed delivery: one attempt, or with the plan's retries and status keys."""
    due = runtime.now() + timedelta(seconds=times.delay_seconds)
    value = encode({"conversation": [conversation.instance_name, conversation.user_phone], "dueAt": iso(due)})
    try:
        await times.write(runtime.redis, timer_key(conversation), runtime.settings.timer_ttl_seconds, value)
    except RedisError:
        runtime.note("timer key not written")  # the delivery is scheduled all the same
    deliver = _deliver_with_retries if retries else _deliver_once
    runtime.start(deliver(runtime, times, conversation))


async def _deliver_once(runtime: Runtime, times: Times, conversation: Conversation) -> None:
    await runtime.sleep(times.delay_seconds)
    await _post(runtime, conversation)


async def _deliver_with_retries(runtime: Runtime, times: Times, conversation: Conversation) -> None:
    for attempt in itertools.count():
        await runtime.sleep(times.delay_seconds)  # in front of every attempt, not of the first alone
        status = await _post(runtime, conversation)
        if status is not None and 200 <= status < 300:
            await _write_status(runtime, times, conversation, "success")
            return
        if attempt >= runtime.settings.max_retry_attempts:
            if status is not None:  # a call that raised leaves no status: the plan's own gap
                await _write_status(runtime, times, conversation, "failed")
            return
        await runtime.sleep(times.backoff_seconds(attempt))


async def _post(runtime: Runtime, conversation: Conversation) -> int | None:
    """One HTTP attempt: its status, or None if there was no answer."""
    try:
        status, _ = await runtime.post_delivery(conversation)
    except (httpx.HTTPError, TimeoutError):
        return None
    return status


async def _write_status(runtime: Runtime, times: Times, conversation: Conversation, status: str) -> None:
    value = encode({"status": status, "timestamp": iso(runtime.now())})
    try:
        await times.write(runtime.redis, status_key(conversation), STATUS_TTL_SECONDS, value)
    except RedisError:
        runtime.note("status not written", status=status)
        return
    await runtime.report_status(conversation, status)
