"""Races that lose a message, whichever of the plan's designs it is: between read and mark, by a TTL, with a timer."""

from collections.abc import Iterator

from engine.verification.races.match import Found
from engine.verification.races.scene import Scene, buffer_key
from engine.verification.records import Names, listed


def arrived_during_processing(scene: Scene) -> Iterator[Found]:
    """A message is appended between the read and the mark of a batch: marked with it, and not in it."""
    for message in scene.facts.lost:
        key, appended = buffer_key(message.conversation), scene.appended(message)
        if appended is None:
            continue
        for batch in scene.batches(message.conversation):
            read, mark = scene.last_read(key, batch.function, batch.sent), scene.mark(batch)
            if read is not None and mark is not None and message not in batch.members and read < appended < mark:
                told = (
                    f"{message.label} was appended at {scene.at(appended)}, after the batch was read at {scene.at(read)} "
                    f"and before it was marked at {scene.at(mark)}: never handed over"
                )
                yield told, (read, appended, mark), (message.label,)
                break


def overwritten(scene: Scene) -> Iterator[Found]:
    """A lost update: another function read before the message was written, and wrote after."""
    for message in scene.facts.lost:
        key, appended = buffer_key(message.conversation), scene.appended(message)
        if appended is None:
            continue
        for index in scene.of_key(key, writes=True):
            if index <= appended or scene.name(index) not in ("SETEX", "PSETEX", "SET"):
                continue
            read = scene.last_read(key, scene.by(index), index)
            if read is not None and read < appended:
                told = (
                    f"{scene.by(index)} read the buffer at {scene.at(read)}, {message.label} was written at "
                    f"{scene.at(appended)}, and {scene.by(index)} wrote over it at {scene.at(index)}: never handed over"
                )
                yield told, (read, appended, index), (message.label,)
            break


def failed_and_marked(scene: Scene) -> Iterator[Found]:
    """The processor fails, and the buffer is marked processed all the same."""
    for message in scene.facts.lost:
        for batch in scene.batches(message.conversation):
            if message not in batch.members or batch.failed is None:
                continue
            mark = scene.mark(batch)
            if mark is not None:
                told = (
                    f"the processor failed with {message.label} at {scene.at(batch.failed)}, and the buffer was marked "
                    f"processed all the same at {scene.at(mark)}"
                )
                yield told, (batch.sent, batch.failed, mark), (message.label,)
                break


def blank_dropped(scene: Scene) -> Iterator[Found]:
    """A blank text is stored and accepted, and dropped when the batch is made."""
    for message in scene.facts.lost:
        appended, text = scene.appended(message), message.calls[0].text
        if appended is None or message.handovers or not isinstance(text, str) or text.strip():
            continue
        # The add itself may look at the buffer again: the batch is read when a delivery has come.
        delivered = next((i for i, _ in scene.events("delivery.arrived") if i > appended), appended)
        read = next((i for i in scene.of_key(buffer_key(message.conversation)) if i > delivered), None)
        if read is not None:
            told = (
                f"{message.label}, a blank text, was stored at {scene.at(appended)} and dropped from the batch that was read "
                f"at {scene.at(read)}: never handed over"
            )
            yield told, (appended, read), (message.label,)


def expired_buffer(scene: Scene) -> Iterator[Found]:
    """A buffer's TTL ends before its delivery."""
    for message in scene.facts.lost:
        key, appended = buffer_key(message.conversation), scene.appended(message)
        if appended is None:
            continue
        for index, event in scene.events("key.expired"):
            if event["key"] == key and index > appended:
                told = f"{message.label} was stored at {scene.at(appended)}, and its buffer's TTL ended by {scene.at(index)}, before it was handed over"
                yield told, (appended, index), (message.label,)
                break


def cleaned_up(scene: Scene) -> Iterator[Found]:
    """The cleanup reads an old buffer and deletes the new one that has come in its place."""
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


def lost_with_its_function(scene: Scene) -> Iterator[Found]:
    """The delivery is a timer in the memory of a function, or the message itself is there, and the function stops."""
    for message in scene.facts.lost:
        posted = [d.posted for d in scene.facts.talk(message.conversation).deliveries]
        for index, event in scene.events("function.stopped"):
            took = [
                call
                for other in scene.facts.talk(message.conversation).messages
                for call in other.calls
                if call.function == event["function"] and call.arrived is not None and call.arrived < index
            ]
            # Where it is not in the plan's buffer, or somebody came for it later, its end has another cause.
            stands = scene.appended(message) is not None and not any(h.sent > index for h in message.handovers)
            if took and stands and message.received is not None and not any(p > index for p in posted):
                told = (
                    f"{event['function']} stopped at {scene.at(index)} ({event['reason']}), and with it what was to become"
                    f" of {message.label}: nobody else comes for it"
                )
                yield told, (message.received, index), (message.label,)
                break


def delivery_given_up(scene: Scene) -> Iterator[Found]:
    """The last delivery call is refused, and nobody calls again."""
    for message in scene.facts.lost:
        deliveries, appended = scene.facts.talk(message.conversation).deliveries, scene.appended(message)
        if appended is None or message.handovers or not deliveries or 200 <= deliveries[-1].status < 300:
            continue
        key, last = buffer_key(message.conversation), deliveries[-1].posted
        if not any(event["key"] == key and last < index < appended for index, event in scene.events("key.expired")):
            told = (
                f"the last delivery call, at {scene.at(last)}, was not answered 2xx, and nobody called again:"
                f" {message.label} was never handed over"
            )
            yield told, tuple(sorted((appended, last))), (message.label,)


def unscheduled_after_error(scene: Scene) -> Iterator[Found]:
    """An add is executed and its reply lost: its function falls back, and the buffer it began has no delivery."""
    failed = {event["command"]: index for index, event in scene.events("redis.failed")}
    for message in scene.facts.lost:
        appended = scene.appended(message)
        posted = max((d.posted for d in scene.facts.talk(message.conversation).deliveries), default=-1)
        if appended is None or message.handovers:
            continue
        for index in scene.of_key(buffer_key(message.conversation), writes=True):
            saw = failed.get(scene.history[index]["command"])
            if saw is not None and posted < index <= appended:
                told = (
                    f"{scene.by(index)} wrote the buffer at {scene.at(index)}, saw an error at {scene.at(saw)} and scheduled "
                    f"no delivery; {message.label} is in that buffer since {scene.at(appended)}: never handed over"
                )
                yield told, tuple(dict.fromkeys((index, saw, appended))), (message.label,)
                break


def shared_key(scene: Scene) -> Iterator[Found]:
    """Two conversations whose names differ in where a colon stands have one key."""
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
            when = " and ".join(f"{scene.by(index)} at {scene.at(index)}" for index in touched)
            yield f"{told}, which was touched by {when}: {listed(list(labels))} are mixed up", tuple(touched), labels


def unmarked_after_error(scene: Scene) -> Iterator[Found]:
    """The mark of a batch meets an error: the buffer stays open, and its delivery is over."""
    for message in scene.facts.lost:
        appended = scene.appended(message)
        for batch in scene.batches(message.conversation):
            if appended is None or appended < batch.sent or message in batch.members:
                continue
            where, failed = scene.marking(batch), scene.events("redis.failed")
            error = next((i for i, e in failed if i in where and e["function"] == batch.function), None)
            if error is not None:
                told = (
                    f"{batch.function} could not mark the batch that it had handed over at {scene.at(batch.sent)}: an error at "
                    f"{scene.at(error)}; {message.label} went into that old buffer at {scene.at(appended)}, for which nobody "
                    "scheduled a delivery"
                )
                yield told, (batch.sent, error, appended), (message.label,)
                break


def read_error_overwrote(scene: Scene) -> Iterator[Found]:
    """An error of an add's read is taken for "no buffer", and a new buffer written over the one that is there."""
    for message in scene.facts.lost:
        key, appended = buffer_key(message.conversation), scene.appended(message)
        for index, event in scene.events("note"):
            if event["note"] != "read error taken for no buffer" or appended is None:
                continue
            written = scene.first_write(key, event["function"], index)
            if written is not None and appended < written:
                told = (
                    f"{message.label} was stored at {scene.at(appended)}; {event['function']} took a read error at "
                    f"{scene.at(index)} for no buffer and wrote a new one over it at {scene.at(written)}"
                )
                yield told, (appended, index, written), (message.label,)
                break
