"""The strategy `fenced_lock`: the lock done well. It tells whether *the lock* loses, or *the plan's* lock.

An owner's token, a compare-and-delete release, renewal, bounded waiting with jitter; a fencing token that is checked where
the write happens; claim and acknowledgement under the lock. Adds take a short lock; whoever delivers holds a second one and
renews it while the processor works, so that adds go on meanwhile.

What it still costs: an add is three round trips and waits for the adds before it; an add whose lock a crashed function
holds waits for its TTL, and gives up (503) after LOCK_WAIT_MS. What makes it safe is not the lock but what is around it: opaque
payloads in a list, the batch's key, the fence, the due index. Take the lock away from that, and what is left is `lease`.
"""

from engine.buffer.fenced_lock.strategy import FencedLock

__all__ = ["FencedLock"]
