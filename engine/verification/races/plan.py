"""The races of the plan's designs: each a predicate on histories that explains a violation.

The order matters: the first race that explains a message's violation names it, so the narrow ones come first.
"""

from collections.abc import Iterator

from engine.verification.races.match import Found, Race
from engine.verification.races.scene import Scene, buffer_key, lock_key
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


def _unmarked_behind_grace_wait(scene: Scene) -> Iterator[Found]:
    return _unmarked(scene, grace=True)


def _unmarked_behind_add(scene: Scene) -> Iterator[Found]:
    return _unmarked(scene, grace=False)


def _unmarked(scene: Scene, *, grace: bool) -> Iterator[Found]:
    """A batch that was handed over and never marked, as its function did not get the lock."""
    for given_up, event in scene.events("note"):
        if event["note"] != "mark given up":
            continue
        before = [h for h in scene.facts.handovers.values() if h.function == event["function"] and h.sent < given_up]
        if not before:
            continue
        batch = before[-1]
        holder = _holder_at(scene, lock_key(batch.conversation), given_up)
        if holder is None:
            continue
        if _in_grace(scene, scene.by(holder), holder, given_up) is not grace:
            continue
        where = "waited out the grace period" if grace else "was adding"
        start = f"the batch that {batch.function} had handed over stayed unmarked at {scene.at(given_up)}, because {scene.by(holder)} held the lock since {scene.at(holder)} and {where}"
        for message in _concerned(scene, batch.conversation):
            if message in batch.members and len(message.effects) > 1:
                yield (
                    f"{start}: {message.label} was handed over again",
                    (batch.sent, holder, given_up),
                    (message.label,),
                )
            elif message in scene.facts.lost:
                told = f"{start}: {message.label} went into that old buffer, for which nobody scheduled a delivery"
                yield told, (batch.sent, holder, given_up), (message.label,)


def _concerned(scene: Scene, names: Names) -> list[Sent]:
    return scene.facts.talk(names).messages


def _holder_at(scene: Scene, key: str, index: int) -> int | None:
    """The command that took a lock which nobody had released by then."""
    taken = None
    for at in scene.of_key(key):
        if at > index:
            break
        if scene.name(at) == "SET" and scene.history[at]["reply"] == "OK":
            taken = at
        elif scene.name(at) == "DEL":
            taken = None
    return taken


def _in_grace(scene: Scene, function: str, start: int, end: int) -> bool:
    return any(
        start < index < end and event["note"] == "grace wait" and event["function"] == function
        for index, event in scene.events("note")
    )


def _stale_releases(scene: Scene, names: Names) -> Iterator[tuple[int, int, int]]:
    """A lock that ran out under its holder, who then deletes the next holder's: (taken, taken by another, deleted)."""
    holder: int | None = None
    earlier: dict[str, int] = {}
    for index in scene.of_key(lock_key(names)):
        who = scene.by(index)
        if scene.name(index) == "SET" and scene.history[index]["reply"] == "OK":
            if holder is not None:
                earlier[scene.by(holder)] = holder
            holder = index
        elif scene.name(index) == "DEL":
            if holder is not None and scene.by(holder) == who and who not in earlier:
                holder = None
            elif holder is not None and who in earlier and who != scene.by(holder):
                yield earlier.pop(who), holder, index
                holder = None


def _stale_release(scene: Scene) -> Iterator[Found]:
    for names in scene.facts.talks:
        for taken, other, deleted in _stale_releases(scene, names):
            for message in _concerned(scene, names):
                if message in scene.facts.lost or len(message.effects) > 1:
                    told = (
                        f"{scene.by(taken)} took the lock at {scene.at(taken)} and was slower than its 2 s; {scene.by(other)} "
                        f"took it at {scene.at(other)}, and at {scene.at(deleted)} {scene.by(deleted)} deleted that lock: "
                        f"{message.label} was {'lost' if message in scene.facts.lost else 'handed over twice'}"
                    )
                    yield told, (taken, other, deleted), (message.label,)


def _lock_ran_out(scene: Scene) -> Iterator[Found]:
    """Two holders at once: the lock ended while its holder was still at work."""
    for names in scene.facts.talks:
        key = lock_key(names)
        for index, event in scene.events("key.expired"):
            if event["key"] != key:
                continue
            taken = _holder_at(scene, key, index)
            if taken is None:
                continue
            later = scene.first_write(buffer_key(names), scene.by(taken), index)
            released = scene.first_write(key, scene.by(taken), index)
            if later is None or (released is not None and released < later):
                continue
            for message in _concerned(scene, names):
                if message in scene.facts.lost or len(message.effects) > 1:
                    told = (
                        f"the lock that {scene.by(taken)} took at {scene.at(taken)} ran out at {scene.at(index)}, and it "
                        f"wrote the buffer all the same at {scene.at(later)}: {message.label} was "
                        f"{'lost' if message in scene.facts.lost else 'handed over twice'}"
                    )
                    yield told, (taken, index, later), (message.label,)


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


def _nobody_schedules(scene: Scene) -> Iterator[Found]:
    """`lua`: two first adds both read length 2, so neither created the buffer."""
    for names, talk in scene.facts.talks.items():
        lost = [m for m in talk.messages if m in scene.facts.lost]
        received = min((m.received for m in lost if m.received is not None), default=None)
        if received is None or any(d.posted > received for d in talk.deliveries):
            continue
        key = buffer_key(names)
        adds = [i for i in scene.of_key(key, writes=True) if scene.name(i) in ("EVAL", "EVALSHA") and i > received]
        reads = [i for i in scene.of_key(key, writes=False) if scene.name(i) == "GET" and len(adds) > 1 and i > adds[1]]
        if len(adds) > 1 and reads:
            labels = tuple(m.label for m in lost)
            told = (
                f"two messages were added at {scene.at(adds[0])} and {scene.at(adds[1])} before the first one's function "
                f"counted them at {scene.at(reads[0])}: it read length 2, so nobody scheduled a delivery and the whole burst is lost"
            )
            yield told, (adds[0], adds[1], reads[0]), labels


def _lost_after_claim(scene: Scene) -> Iterator[Found]:
    for message in scene.facts.lost:
        key = buffer_key(message.conversation)
        for batch in scene.batches(message.conversation):
            if message not in batch.members or batch.failed is None:
                continue
            claim = scene.last_read(key, batch.function, batch.sent)
            if claim is not None and scene.name(claim) in ("EVAL", "EVALSHA") and key in scene.history[claim]["writes"]:
                told = (
                    f"the batch with {message.label} was marked processed at {scene.at(claim)}, before the processor failed "
                    f"at {scene.at(batch.failed)}: a retry finds nothing to do"
                )
                yield told, (claim, batch.sent, batch.failed), (message.label,)
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


def _added_and_fallen_back(scene: Scene) -> Iterator[Found]:
    """The add was executed, its function saw an error, and handed the message over by itself as well."""
    for message in scene.facts.messages.values():
        appended = scene.appended(message)
        if appended is None or len(message.effects) < 2:
            continue
        for batch in message.handovers:
            if len(batch.members) == 1 and batch.sent > appended and batch.key is None:
                told = f"{message.label} was stored at {scene.at(appended)}, but its function saw an error and handed it over by itself at {scene.at(batch.sent)} as well"
                yield told, (appended, batch.sent, message.effects[-1][0]), (message.label,)
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


def _one_by_one(scene: Scene) -> Iterator[Found]:
    """`lua`: a processed buffer stands, so each message is handed over by itself, at once."""
    for message in scene.facts.messages.values():
        key = buffer_key(message.conversation)
        for batch in message.handovers:
            if message.received is None or len(batch.members) != 1:
                continue
            refused = [
                i
                for i in scene.of_key(key, writes=False)
                if message.received < i < batch.sent
                and scene.name(i) in ("EVAL", "EVALSHA")
                and scene.by(i) == batch.function
            ]
            if refused and scene.history[refused[-1]]["reply"] == "0":
                told = f"the buffer of the last batch still stood as processed at {scene.at(refused[-1])}, so {message.label} was handed over by itself at {scene.at(batch.sent)}: nothing is buffered for 300 s after each batch"
                yield told, (message.received, refused[-1], batch.sent), (message.label,)
                break


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
        _stale_release,
    ),
    Race(
        "unmarked_behind_grace_wait",
        ("no_loss", "no_duplicate"),
        "a batch stays unmarked because an add holds the lock through its grace wait",
        _unmarked_behind_grace_wait,
    ),
    Race(
        "unmarked_behind_add",
        ("no_loss", "no_duplicate"),
        "a batch stays unmarked because an add holds the lock",
        _unmarked_behind_add,
    ),
    Race("lock_ran_out", ("no_loss", "no_duplicate"), "a lock ran out while its holder was at work", _lock_ran_out),
    Race("cleanup_race", ("no_loss",), "the cleanup deletes a new buffer", _cleaned_up),
    Race("nobody_schedules", ("no_loss",), "two first adds both read length 2", _nobody_schedules),
    Race(
        "lost_after_claim",
        ("no_loss", "status_true"),
        "the processor fails after the buffer was marked",
        _lost_after_claim,
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
        "added_and_fallen_back", ("no_duplicate",), "stored, and handed over by itself as well", _added_and_fallen_back
    ),
    Race("read_twice", ("no_duplicate",), "two deliveries read a buffer before it is marked", _read_twice),
    Race(
        "done_but_not_known", ("no_duplicate",), "the processor was done, its caller saw an error", _done_but_not_known
    ),
    Race(
        "one_by_one_after_batch",
        ("buffered", "one_at_a_time", "order"),
        "after a batch, each message by itself",
        _one_by_one,
    ),
)
