"""Histories written by hand: what happened and when; events are put into the order of their times."""

from typing import Any

from engine.verification import Event, Judgement, judge

BOT = ("bot", "49151")


class Paper:
    """A history to be written. Times are milliseconds; messages are named by their labels."""

    def __init__(self, **start: Any) -> None:
        self._events: list[Event] = []
        self._messages: dict[str, dict[str, Any]] = {}
        self._conversations: dict[str, tuple[str, str]] = {}
        self._calls = 0
        self._start = {
            "strategy": "paper",
            "scenario": "paper",
            "delay_ms": 8_000,
            "tick_ms": None,
            "attempts": 4,
            "shared_keys": [],
            "functions": 3,
            "hop_ms": [1, 600],
            "processor_ms": [1_000, 5_000],
            "settle_limit_s": 1_800,
            "judged": None,
        } | start

    def event(self, t: int, event: str, **fields: Any) -> None:
        """Write any event."""
        self._events.append({"t": t, "event": event, **fields})

    def message(
        self,
        label: str,
        t: int = 0,
        *,
        id: str | None = None,  # noqa: A002 - the field's name
        text: str = "hello",
        data: Any = None,
        conversation: tuple[str, str] = BOT,
        function: str = "f1",
        status: int = 200,
        attempt: int = 1,
    ) -> None:
        """A webhook call: sent at `t`, received 10 ms later, answered after 20 ms, confirmed after 30 ms."""
        self._calls += 1
        call, names = f"w{self._calls}", list(conversation)
        message_id = id if id is not None else label
        self._messages[label] = {"id": message_id, "text": text, "data": data}
        self._conversations[label] = conversation
        sent = {"conversation": names, "id": message_id, "text": text, "data": data}
        self.event(t, "webhook.sent", call=call, attempt=attempt, label=label, **sent)
        self.event(t + 10, "webhook.arrived", call=call, function=function)
        self.event(t + 20, "webhook.answered", call=call, function=function, status=status)
        self.event(t + 30, "webhook.confirmed", call=call, status=status)

    def batch(self, labels: str) -> list[dict[str, Any]]:
        """The messages of these labels, as they were sent."""
        return [dict(self._messages[label]) for label in labels.split()]

    def hand_over(
        self,
        labels: str,
        sent: int,
        done: int | None = None,
        *,
        key: str | None = None,
        fence: int | None = None,
        function: str = "f1",
        outcome: str = "done",
        messages: list[dict[str, Any]] | None = None,
        conversation: tuple[str, str] | None = None,
    ) -> None:
        """A hand-over: begun at `sent`, at the processor 1 ms later, over at `done` (1 s later if left out)."""
        self._calls += 1
        call, end = f"h{self._calls}", sent + 1_000 if done is None else done
        batch = self.batch(labels) if messages is None else messages
        names = list(conversation or self._conversations[labels.split()[0]])
        carried = {"conversation": names, "messages": batch, "key": key}
        self.event(sent, "handover.sent", call=call, function=function, fence=fence, **carried)
        self.event(sent + 1, "handover.arrived", call=call, fence=fence, **carried)
        if outcome in ("joined", "repeated"):
            self.event(sent + 1, f"handover.{outcome}", call=call, key=key)
        if outcome == "stale":
            self.event(sent + 1, "handover.stale", call=call, fence=fence, highest=(fence or 0) + 1)
        if outcome in ("done", "answer_lost"):
            self.event(end, "handover.effect", call=call, **carried)
        self.event(end, "handover.ended", call=call, outcome="done" if outcome == "answer_lost" else outcome)
        if outcome in ("done", "joined", "repeated"):
            self.event(end + 1, "handover.confirmed", call=call, function=function)
        else:
            self.event(
                end + 1, "handover.failed", call=call, function=function, error=outcome, refused=outcome == "stale"
            )

    def deliver(self, posted: int, answered: int, status: int = 200, *, by: str = "f1", at: str = "f2") -> None:
        """A delivery call from its posting by one function to its answer by another."""
        self._calls += 1
        call, names = f"d{self._calls}", list(BOT)
        self.event(posted, "delivery.posted", call=call, function=by, conversation=names)
        self.event(posted + 1, "delivery.arrived", call=call, function=at, conversation=names)
        self.event(answered, "delivery.answered", call=call, function=at, status=status, processed=0)
        self.event(answered + 1, "delivery.confirmed", call=call, function=by, status=status)

    def redis(self, t: int, function: str, *args: str, reply: str = "OK", writes: bool | None = None) -> int:
        """A command, as the server executed it; its first key is its second argument (a script's: its fourth)."""
        self._calls += 1
        key = args[3] if args[0] in ("EVAL", "EVALSHA") else args[1]
        wrote = args[0] != "GET" if writes is None else writes
        keys = {"reads": [] if wrote else [key], "writes": [key] if wrote else []}
        self.event(t, "redis.executed", command=self._calls, function=function, args=list(args), reply=reply, **keys)
        return self._calls

    def dead_letter(self, t: int, labels: str, function: str = "f1") -> None:
        """The strategy gives messages up."""
        names = list(self._conversations[labels.split()[0]])
        messages = self.batch(labels)
        self.event(
            t, "dead_letter", function=function, conversation=names, messages=messages, reason="attempts used up"
        )

    def status(self, t: int, status: str, function: str = "f1") -> None:
        """The strategy reports a status."""
        self.event(t, "status", function=function, conversation=list(BOT), status=status)

    def end(self, t: int = 4_000_000, *, completed: bool = True, keys: dict[str, str] | None = None) -> list[Event]:
        """The finished history."""
        reason = "quiet" if completed else "bound"
        self.event(t, "end", reason=reason, completed=completed, keys=keys or {})
        return self.so_far()

    def so_far(self) -> list[Event]:
        """The history as it is: in the order of the times; of one time, as it was written."""
        return [{"t": 0, "event": "start", **self._start}, *sorted(self._events, key=lambda event: event["t"])]


def judged(history: list[Event], invariant: str) -> Judgement:
    """What the judge of one invariant says."""
    return next(each for each in judge(history) if each.invariant == invariant)
