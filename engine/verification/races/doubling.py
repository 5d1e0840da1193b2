"""Races that hand a message over twice."""

from collections.abc import Iterator

from engine.verification.races.match import Found
from engine.verification.races.scene import Scene, buffer_key


def read_twice(scene: Scene) -> Iterator[Found]:
    """Two deliveries read the buffer before either marked it."""
    for names, talk in scene.facts.talks.items():
        key = buffer_key(names)
        for first, second in zip(talk.handovers, talk.handovers[1:], strict=False):
            mark = scene.mark(first)
            read = scene.last_read(key, second.function, second.sent)
            if read is None or scene.name(read) != "GET" or (mark is not None and read > mark):
                continue
            for message in first.members:
                if message in second.members and len(message.effects) > 1:
                    told = (
                        f"{message.label} was handed over at {scene.at(first.sent)}, and at {scene.at(second.sent)} by another"
                        f" delivery, which had read the buffer at {scene.at(read)}, before the first had marked it"
                    )
                    yield told, tuple(sorted((first.sent, read, second.sent))), (message.label,)


def repeat_not_recognised(scene: Scene) -> Iterator[Found]:
    """The provider sends a message again, and it is taken for a new one."""
    for message in scene.facts.messages.values():
        if len(message.effects) > 1 and len(message.calls) > 1:
            doubled = message.effects[1][0]
            # The last of its repeats before the batch in which it is twice: an earlier one was in another batch, or known.
            begun = max((each.sent for each in message.handovers if each.sent < doubled), default=doubled)
            repeats = [call.sent for call in message.calls[1:]]
            again = max((sent for sent in repeats if sent < begun), default=repeats[0])
            told = f"the provider sent {message.label} again at {scene.at(again)}, and it was taken for a new message"
            yield told, (message.first_sent, again, message.effects[-1][0]), (message.label,)


def done_but_not_known(scene: Scene) -> Iterator[Found]:
    """The processor was done and the caller did not learn it."""
    for message in scene.facts.messages.values():
        for batch in message.handovers:
            failed = batch.failed
            if batch.effect is None or failed is None:
                continue
            # Begun after the error, or it was another reason that it was begun for.
            later = next((h for h in message.handovers if h.sent > failed and h.worked and h.effect is not None), None)
            if later is not None and (again := later.effect) is not None:
                key = "without a key" if later.key is None else "under another key"
                told = (
                    f"the processor was done with {message.label} at {scene.at(batch.effect)}, its caller saw an error at"
                    f" {scene.at(failed)}, and {key} it was done again at {scene.at(again)}"
                )
                yield told, (batch.effect, failed, again), (message.label,)
                break
