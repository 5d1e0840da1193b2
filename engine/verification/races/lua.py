"""The races of `lua`: what its two scripts leave open."""

from collections.abc import Iterator

from engine.verification.races.match import Found
from engine.verification.races.scene import Scene, buffer_key


def nobody_schedules(scene: Scene) -> Iterator[Found]:
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


def lost_after_claim(scene: Scene) -> Iterator[Found]:
    """The buffer is marked processed, and then the processor fails, or the batch never gets to it."""
    for message in scene.facts.lost:
        key, appended = buffer_key(message.conversation), scene.appended(message)
        claim = None if appended is None else _claim_after(scene, key, appended)
        if claim is None:
            continue
        failed = [b for b in scene.batches(message.conversation) if message in b.members and b.failed is not None]
        if failed and failed[0].failed is not None:
            what, at = "before the processor failed", failed[0].failed
        elif not message.handovers:
            gone = (
                i
                for i, e in scene.events("redis.failed", "function.stopped")
                if i > claim and e["function"] == scene.by(claim)
            )
            what, at = f"before {scene.by(claim)} was cut off", next(gone, -1)
            if any(b.function == scene.by(claim) and claim < b.sent < at for b in scene.batches(message.conversation)):
                continue  # what was claimed was handed over, and this message was not in it
        else:
            continue
        if at < 0:
            continue
        told = f"the batch with {message.label} was marked processed at {scene.at(claim)}, {what} at {scene.at(at)}: a retry finds nothing to do"
        reported = next((i for i in scene.facts.talk(message.conversation).statuses if i > at), None)
        if reported is not None and scene.history[reported]["status"] == "success":
            yield f'{told} and reports "success" at {scene.at(reported)}', (claim, at, reported), (message.label,)
        else:
            yield told, (claim, at), (message.label,)


def _claim_after(scene: Scene, key: str, appended: int) -> int | None:
    """The first script after an append that marked the buffer processed: an add brings a message, a claim does not."""
    for index in scene.of_key(key, writes=True):
        message = scene.history[index]["args"][4:5]
        if index > appended and scene.name(index) in ("EVAL", "EVALSHA") and not "".join(message).startswith("{"):
            return index
    return None


def added_and_fallen_back(scene: Scene) -> Iterator[Found]:
    """The add was executed, its function saw an error, and handed the message over by itself as well."""
    for message in scene.facts.messages.values():
        appended = scene.appended(message)
        if appended is None or len(message.effects) < 2:
            continue
        for batch in message.handovers:
            during = any(
                call.function == batch.function
                and call.arrived is not None
                and call.arrived < batch.sent
                and (call.answered is None or batch.sent < call.answered)
                for call in message.calls
            )
            if during and batch.sent > appended and len(batch.members) == 1 and batch.key is None:
                told = (
                    f"{message.label} was stored at {scene.at(appended)}, but its function saw an error and handed it over by"
                    f" itself at {scene.at(batch.sent)} as well"
                )
                yield told, (appended, batch.sent, message.effects[-1][0]), (message.label,)
                break


def one_by_one(scene: Scene) -> Iterator[Found]:
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
