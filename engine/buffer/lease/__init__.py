"""The strategy `lease`: buffered messages are claimed under an expiring lease and acknowledged by the claim's holder.

Aim
===

Every accepted message has its effect exactly once, in order, however functions, connections and the processor fail;
short of Redis itself losing what it holds. Redis is the only memory. What a function remembers saves time and calls,
and losing it costs time alone.

State
=====

A conversation is in Redis in five parts, all in the hash slot of its shard, so that one script can change them
together:

========== ============ =========================================================================================
pending    list         payloads that were taken and not yet claimed, in the order in which they were taken
flight     list         the one batch that was claimed and is not finished: the same payloads in the same order, always
state      hash         of pending: `due`. Of the batch in flight: `key`, `token` (while held), `nonce`, `not_before`
                        (the end of the lease or of the back-off), `failures`, `claims`. `fence`: the last one given
                        out. `finished`: the token of the last batch that was finished
seen:<id>  string       the repeat marker of one message
due        sorted set   of the shard: each unfinished conversation at the instant at which to look at it
========== ============ =========================================================================================

Data invariants, true between any two commands:

I1. An unfinished message is in exactly one of pending and flight, once, and its marker has no TTL.
I2. A conversation with anything pending or in flight is in the due index: at `not_before` if there is a flight, else at
    the `due` of what is pending.
I3. What is unfinished has no TTL: lists, state and index. What is finished has one: markers and state.
I4. `fence` only grows, and of all who ever claimed, the holder of `token` claimed last.
I5. A flight keeps its key, its messages and their order until it is finished.

Each script takes a state where these hold to another one. As a script is atomic, a crash, a pause or a lost
connection at any point leaves a state where they hold, and I2 says that any function's sweep then finds what there is
to do.

Steps
=====

add        one round trip: set the marker if it is not there, append, arm by the server's clock. O(1) in the buffer
claim      rename pending to flight under a new key; or take a flight whose lease or back-off ended. Always a new fence
hand over  to the processor, with key and fence
finish     if the token is still mine: drop the flight, let the markers end, arm what came meanwhile
give back  if the token is still mine: count the failure, free the flight after a back-off

Why each detail is there, with what happens without it
======================================================

*The due time is in Redis, by the server's `TIME`.* A timer in the function that took the first message is only the
fast path. Without the index: m1 is added by f1 · f1 crashes · nobody ever looks. With f1's clock instead of the
server's: f1 is 5 s slow, f2 sweeps by its own, and the batch goes out 5 s early without the messages that were
promised a place in it.

*A repeat arms as well.* Without: the add is executed · its reply is lost · the provider repeats · it is recognised,
so nothing is created and no timer is set, anywhere.

*Only a buffer's first message and a repeat arm.* The others find the buffer armed by the first one, in the step that put it
there (I2); arming again would write the same instant, at twice the price of an add.

*Claiming moves.* Without (hand over what is read, then mark): batch {m1} is read · m2 is added · the buffer is marked
with m2 in it. Here m2 is in another list, which only the next claim touches.

*One flight at a time.* The next buffer may fall due while a batch is at work. Claiming it then would let two
batches of one conversation overlap, and the second answer come before the first. It waits; the finish arms it.

*The lease ends.* Without: the claim is executed · the function crashes · the flight stays claimed for ever. It lasts
longer than a hand-over can wait (`HAND_OVER_TIMEOUT_SECONDS` plus a margin), so a healthy holder never loses it and
there is no renewal that could itself be late. The price: a crashed holder's batch waits that long.

*The key belongs to the batch, not to the claim.* f1 claims and hands over · f1 pauses for 300 s · the lease ends, f2
claims the same batch and hands it over · f1 wakes up. The processor gets one key from both: whoever is second joins
the work or is told that it is done. A new key for each claim would be a second answer. For the same reason the batch
never grows once it is claimed: a key that stands for {m1} once and for {m1, m2} later loses m2.

*The fence.* f1 pauses between claim and hand-over, f2 finishes the batch and the next ones are under way; f1's
late hand-over is of a finished key and has no effect. The fence covers a processor that has forgotten the key, or
never kept one: it refuses f1 all the same. It is max(last + 1, the server's µs), so it may expire with the rest and
still never comes twice.

*Finishing and giving back compare the token.* Without: f1 fails after its lease ended · it gives back the batch that f2
holds now, counts a failure that f2 does not have, and f3 claims it while f2 is at work.

*Every script may run twice.* A connection that breaks leaves open whether the script ran, so the store asks again, by
itself, and any part of the network may still deliver the first request minutes later. add knows the message id; claim
knows its nonce and returns the claim that it already made; finish and give back find their token gone, and finish
remembers whose it was. A claim that arrives when nobody listens any more costs one lease and nothing else.

*Failures are counted when they are seen, not when they are claimed.* A batch is dead-lettered after
MAX_RETRY_ATTEMPTS + 1 hand-overs that their holders saw fail. Counting claims instead: four functions crash one
after another before they hand over, and a batch that the processor never saw is given up. A holder that crashes
after it began leaves one uncounted; that delays a dead letter, it does not lose a message. (So a batch that kills every
function that touches it is never given up by itself: `claims` says so, in a note at every claim but the first.)

*The dead letter is said before it is moved.* A crash in between leaves the batch in flight: it is tried and, if need
be, said once more. The other way round it would be in the list and nobody told.

*Markers have no TTL until their message is finished*, then REPEAT_HORIZON_SECONDS + 600 from the last sighting. With
a TTL from the start, a processor that is down for longer than it lasts makes a repeat a second message. They are a
key a message, not a set a conversation, so that each ends by itself and adding stays O(1) however busy the
conversation.

*Payloads are opaque.* Scripts move them and never look inside: a real server's `cjson` turns `[]` into `{}` and
1234567890123456789 into 1.2345678901235e+18.

*Deliveries go through the endpoint* (`post_delivery`), also the sweep's: a platform keeps a function alive until it has
answered, not while its background tasks run. Only if no endpoint answers does the sweep hand over by itself.

Limits
======

Redis must keep what it acknowledged (`bufferproof doctor` looks), and must not evict. The processor must honour the
key, or at least the fence. SHARDS must not change while anything is unfinished: drain first, as before a rollback
(`Lease.drain`). A server clock that is set back delays what is armed by as much.

For the next change: whatever a script reads to decide must be read in that script; whatever it writes must keep I1 to
I5; and ask of each new step what its second run does, a minute later.
"""

from engine.buffer.lease.strategy import Lease

__all__ = ["Lease"]
