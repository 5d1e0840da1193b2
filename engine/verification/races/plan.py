"""The races of the plan's designs: each a predicate on histories that explains a violation.

The order matters: the first race that explains a message's violation names it, so the narrow ones come first.
"""

from collections.abc import Iterator

from engine.verification.races import lock, lua
from engine.verification.races.match import Found, Race
from engine.verification.races.scene import Scene, buffer_key
from engine.verification.records import HandOver, Names, Sent


def _over(handover: HandOver) -> int | None:
    return handover.confirmed if handover.confirmed is not None else handover.failed


def _arrived_during_processing(scene: Scene) -> Iterator[Found]:
    for message in scene.facts.lost:
        key, appended = buffer_key(message.conversation), scene.appended(message)
        if appended is None:
            continue
        for batch in scene.batches(message.conversation):
            read = scene.last_read(key, batch.function, batch.sent)
            over = _over(batch)
            if read is None or over is None or message in batch.members:
                continue
            mark = scene.first_write(key, batch.function, over)
            if mark is not None and read < appended < mark:
                told = (
                    f"{message.label} was appended at {scene.at(appended)}, after the batch was read at {scene.at(read)} "
                    f"and before it was marked at {scene.at(mark)}: never handed over"
                )
                yield told, (read, appended, mark), (message.label,)
                break


def _concerned(scene: Scene, names: Names) -> list[Sent]:
    return scene.facts.talk(names).messages


def _overwritten(scene: Scene) -> Iterator[Found]:
    """A lost update: another function read before the message was written, and wrote after."""
    for message in scene.facts.lost:
        key, appended = buffer_key(message.conversation), scene.appended(message)
        if appended is None or scene.name(appended) not in ("SETEX", "PSETEX", "SET"):
            continue
        for index in scene.of_key(key, writes=True):
            if index <= appended:
                continue
            read = scene.last_read(key, scene.by(index), index)
            if read is not None and read < appended and scene.by(index) != scene.by(appended):
                told = (
                    f"{scene.by(index)} read the buffer at {scene.at(read)}, {message.label} was written at "
                    f"{scene.at(appended)}, and {scene.by(index)} wrote over it at {scene.at(index)}: never handed over"
                )
                yield told, (read, appended, index), (message.label,)
            break


def _failed_and_marked(scene: Scene) -> Iterator[Found]:
    for message in scene.facts.lost:
        key = buffer_key(message.conversation)
        for batch in scene.batches(message.conversation):
            if message not in batch.members or batch.failed is None:
                continue
            mark = scene.first_write(key, batch.function, batch.failed)
            if mark is not None:
                told = (
                    f"the processor failed with {message.label} at {scene.at(batch.failed)}, and the buffer was marked "
                    f"processed all the same at {scene.at(mark)}"
                )
                yield told, (batch.sent, batch.failed, mark), (message.label,)
                break


def _expired_buffer(scene: Scene) -> Iterator[Found]:
    for message in scene.facts.lost:
        key, appended = buffer_key(message.conversation), scene.appended(message)
        if appended is None:
            continue
        for index, event in scene.events("key.expired"):
            if event["key"] == key and index > appended:
                told = f"{message.label} was stored at {scene.at(appended)}, and its buffer's TTL ended by {scene.at(index)}, before it was handed over"
                yield told, (appended, index), (message.label,)
                break


def _cleaned_up(scene: Scene) -> Iterator[Found]:
    for message in scene.facts.lost:
        key, appended = buffer_key(message.conversation), scene.appended(message)
        for index in scene.of_key(key, writes=True):
            if appended is not None and index > appended and scene.name(index) == "DEL":
                read = scene.last_read(key, scene.by(index), index)
                if read is not None and read < appended:
                    told = (
                        f"the cleanup read an old buffer at {scene.at(read)}, {message.label} began a new one at "
                        f"{scene.at(appended)}, and the cleanup deleted that at {scene.at(index)}"
                    )
                    yield told, (read, appended, index), (message.label,)


def _lost_with_its_function(scene: Scene) -> Iterator[Found]:
    for message in scene.facts.lost:
        posted = [d.posted for d in scene.facts.talk(message.conversation).deliveries]
        for index, event in scene.events("function.stopped"):
            took = [
                call
                for other in _concerned(scene, message.conversation)
                for call in other.calls
                if call.function == event["function"] and call.arrived is not None and call.arrived < index
            ]
            if took and message.received is not None and not any(p > index for p in posted):
                told = f"{event['function']} stopped at {scene.at(index)} ({event['reason']}), and the timer for {message.label}'s buffer with it: nobody else knows of it"
                yield told, (message.received, index), (message.label,)
                break


def _read_twice(scene: Scene) -> Iterator[Found]:
    """Two deliveries read the buffer before either marked it."""
    for names, talk in scene.facts.talks.items():
        key = buffer_key(names)
        for first, second in zip(talk.handovers, talk.handovers[1:], strict=False):
            over = _over(first)
            mark = scene.first_write(key, first.function, over) if over is not None else None
            read = scene.last_read(key, second.function, second.sent)
            if read is None or read < first.sent or (mark is not None and read > mark):
                continue
            for message in first.members:
                if message in second.members and len(message.effects) > 1:
                    told = f"{message.label} was handed over at {scene.at(first.sent)}; before that batch was marked it was read again at {scene.at(read)} and handed over at {scene.at(second.sent)}"
                    yield told, (first.sent, read, second.sent), (message.label,)


def _repeat_not_recognised(scene: Scene) -> Iterator[Found]:
    for message in scene.facts.messages.values():
        if len(message.effects) > 1 and len(message.calls) > 1:
            again = message.calls[1].sent
            told = f"the provider sent {message.label} again at {scene.at(again)}, and it was taken for a new message"
            yield told, (message.first_sent, again, message.effects[-1][0]), (message.label,)


def _done_but_not_known(scene: Scene) -> Iterator[Found]:
    """The processor was done and the caller did not learn it."""
    for message in scene.facts.messages.values():
        for batch in message.handovers:
            if len(message.effects) > 1 and batch.effect is not None and batch.failed is not None:
                told = f"the processor was done with {message.label} at {scene.at(batch.effect)}, its caller saw an error at {scene.at(batch.failed)}, and without a key it was done again at {scene.at(message.effects[-1][0])}"
                yield told, (batch.effect, batch.failed, message.effects[-1][0]), (message.label,)
                break


def _delivery_given_up(scene: Scene) -> Iterator[Found]:
    """The delivery call was refused, and nobody called again."""
    for message in scene.facts.lost:
        deliveries = scene.facts.talk(message.conversation).deliveries
        if message.received is None or message.handovers or not deliveries:
            continue
        last = deliveries[-1]
        if last.posted > message.received and not 200 <= last.status < 300:
            told = f"the last delivery call, at {scene.at(last.posted)}, was not answered 2xx, and nobody called again: {message.label} was never handed over"
            yield told, (message.received, last.posted), (message.label,)


def _shared_key(scene: Scene) -> Iterator[Found]:
    by_key: dict[str, set[Names]] = {}
    for names in scene.facts.talks:
        by_key.setdefault(buffer_key(names), set()).add(names)
    for key, all_names in by_key.items():
        if len(all_names) < 2:
            continue
        labels = tuple(m.label for m in scene.facts.messages.values() if m.conversation in all_names)
        touched = list(scene.of_key(key))[:2]
        told = f"two conversations, {' and '.join(str(list(n)) for n in sorted(all_names))}, share the key {key}"
        if touched:
            yield told, tuple(touched), labels


RACES: tuple[Race, ...] = (
    Race("shared_key", ("isolation", "no_loss"), "names that differ in where a colon stands share a key", _shared_key),
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
    Race("cleanup_race", ("no_loss",), "the cleanup deletes a new buffer", _cleaned_up),
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
        _failed_and_marked,
    ),
    Race(
        "arrived_during_processing",
        ("no_loss",),
        "a message between the read and the mark of a batch",
        _arrived_during_processing,
    ),
    Race("concurrent_adds", ("no_loss",), "two adds read the same buffer, the later write wins", _overwritten),
    Race("delivery_given_up", ("no_loss",), "the last delivery call is refused", _delivery_given_up),
    Race("expired_buffer", ("no_loss",), "a buffer's TTL ends before its delivery", _expired_buffer),
    Race("lost_with_its_function", ("no_loss",), "a timer is gone with its function", _lost_with_its_function),
    Race("repeat_not_recognised", ("no_duplicate",), "a repeated webhook is a new message", _repeat_not_recognised),
    Race(
        "added_and_fallen_back",
        ("no_duplicate",),
        "stored, and handed over by itself as well",
        lua.added_and_fallen_back,
    ),
    Race("read_twice", ("no_duplicate",), "two deliveries read a buffer before it is marked", _read_twice),
    Race(
        "done_but_not_known", ("no_duplicate",), "the processor was done, its caller saw an error", _done_but_not_known
    ),
    Race(
        "one_by_one_after_batch",
        ("buffered", "one_at_a_time", "order"),
        "after a batch, each message by itself",
        lua.one_by_one,
    ),
)
