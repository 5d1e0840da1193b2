"""The named races of the plan's designs, in one table.

The order matters: the first race that explains a message's violation names it, so the narrow ones come first.
"""

from engine.verification.races import doubling, lock, loss, lua, ordering
from engine.verification.races.match import Race

RACES: tuple[Race, ...] = (
    Race(
        "shared_key", ("isolation", "no_loss"), "names that differ in where a colon stands share a key", loss.shared_key
    ),
    Race(
        "stale_release",
        ("no_loss", "no_duplicate"),
        "a holder slower than the lock deletes the next holder's lock",
        lock.stale_release,
    ),
    Race(
        "unmarked_behind_grace_wait",
        ("no_loss", "no_duplicate"),
        "a batch stays unmarked because an add holds the lock through its grace wait",
        lock.unmarked_behind_grace_wait,
    ),
    Race(
        "unmarked_behind_add",
        ("no_loss", "no_duplicate"),
        "a batch stays unmarked because an add holds the lock",
        lock.unmarked_behind_add,
    ),
    Race("lock_ran_out", ("no_loss", "no_duplicate"), "a lock ran out while its holder was at work", lock.lock_ran_out),
    Race("blank_dropped", ("no_loss",), "a blank text is dropped from its batch", loss.blank_dropped),
    Race("cleanup_race", ("no_loss",), "the cleanup deletes a new buffer", loss.cleaned_up),
    Race("nobody_schedules", ("no_loss",), "two first adds both read length 2", lua.nobody_schedules),
    Race(
        "lost_after_claim",
        ("no_loss", "status_true"),
        "the processor fails after the buffer was marked",
        lua.lost_after_claim,
    ),
    Race(
        "failed_and_marked",
        ("no_loss",),
        "the processor fails and the buffer is marked all the same",
        loss.failed_and_marked,
    ),
    Race(
        "arrived_during_processing",
        ("no_loss",),
        "a message between the read and the mark of a batch",
        loss.arrived_during_processing,
    ),
    Race(
        "read_error_overwrote",
        ("no_loss",),
        "an error of a read is taken for no buffer, and a new one written over it",
        loss.read_error_overwrote,
    ),
    Race("concurrent_adds", ("no_loss",), "two adds read the same buffer, the later write wins", loss.overwritten),
    Race(
        "unmarked_after_error",
        ("no_loss",),
        "the mark of a batch meets an error, and the next messages go into the old buffer",
        loss.unmarked_after_error,
    ),
    Race("delivery_given_up", ("no_loss",), "the last delivery call is refused", loss.delivery_given_up),
    Race(
        "unscheduled_after_error",
        ("no_loss",),
        "the add that began a buffer was executed, its function saw an error and scheduled nothing",
        loss.unscheduled_after_error,
    ),
    Race("expired_buffer", ("no_loss",), "a buffer's TTL ends before its delivery", loss.expired_buffer),
    Race("lost_with_its_function", ("no_loss",), "a timer is gone with its function", loss.lost_with_its_function),
    Race(
        "repeat_not_recognised",
        ("no_duplicate",),
        "a repeated webhook is a new message",
        doubling.repeat_not_recognised,
    ),
    Race(
        "added_and_fallen_back",
        ("no_duplicate",),
        "stored, and handed over by itself as well",
        lua.added_and_fallen_back,
    ),
    Race("read_twice", ("no_duplicate",), "two deliveries read a buffer before it is marked", doubling.read_twice),
    Race(
        "done_but_not_known",
        ("no_duplicate",),
        "the processor was done, its caller saw an error",
        doubling.done_but_not_known,
    ),
    Race(
        "sorted_by_skewed_clocks",
        ("order",),
        "a batch is sorted by the receivers' clocks, which disagree",
        ordering.sorted_by_skewed_clocks,
    ),
    Race(
        "one_by_one_after_batch",
        ("buffered", "one_at_a_time", "order"),
        "after a batch, each message by itself",
        lua.one_by_one,
    ),
)
