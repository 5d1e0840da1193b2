"""The races of `lock`: a lock that runs out, is deleted by another, or keeps a batch from being marked."""

from collections.abc import Iterator

from engine.verification.races.match import Found
from engine.verification.races.scene import Scene, buffer_key, lock_key
from engine.verification.records import Names, Sent


def _concerned(scene: Scene, names: Names) -> list[Sent]:
    return scene.facts.talk(names).messages


def unmarked_behind_grace_wait(scene: Scene) -> Iterator[Found]:
    """The mark is given up because an add waits out the grace period with the lock in its hand."""
    return _unmarked(scene, grace=True)


def unmarked_behind_add(scene: Scene) -> Iterator[Found]:
    """The mark is given up because an add holds the lock."""
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


def stale_release(scene: Scene) -> Iterator[Found]:
    """A holder slower than the lock deletes the next holder's lock."""
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


def lock_ran_out(scene: Scene) -> Iterator[Found]:
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
