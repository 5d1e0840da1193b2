"""The processor: takes a batch, works for a while, then has its effect, the answer to the customer.

It keeps the rules that a hand-over may rely on: a key has one effect, a hand-over that comes while its key is at work
joins it, and a fence lower than the highest seen for the conversation is refused.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.buffer.runtime import header_value
from engine.exploration.scheduler import Choices
from engine.simulation.agenda import Agenda
from engine.simulation.case import PROCESSOR_FAILURES
from engine.simulation.faults import Faults
from engine.simulation.http import Answer, Call, Reply

#: Longer than a caller waits (HAND_OVER_TIMEOUT_SECONDS is 120).
SLOW_MS = (121_000, 150_000)
#: Longer than all attempts together: the retry horizon is 4 × 120 s and the back-offs.
TOO_SLOW_MS = (700_000, 900_000)


@dataclass(slots=True)
class Work:
    """One hand-over at work; others with its key may join."""

    call: str
    conversation: tuple[str, str]
    messages: list[dict[str, Any]]
    key: str | None
    joined: list[tuple[str, Reply]] = field(default_factory=list)


class Processor:
    """The world's processor."""

    def __init__(
        self,
        agenda: Agenda,
        choices: Choices,
        faults: Faults,
        record: Callable[..., None],
        *,
        work_ms: tuple[int, int],
        failures: tuple[str, ...],
    ) -> None:
        self._agenda = agenda
        self._choices = choices
        self._faults = faults
        self._record = record
        self._work_ms = work_ms
        self.failures_left = list(failures)
        self._done: set[str] = set()
        self._at_work: dict[str, Work] = {}
        self._fences: dict[tuple[str, str], int] = {}

    def arrive(self, call: Call, reply: Reply) -> None:
        """A hand-over arrives."""
        headers = dict(call.headers)
        body = json.loads(call.body)
        conversation = (body["instanceName"], body["userPhone"])
        self._touch(conversation)
        messages = [{"id": m["messageId"], "text": m["text"], "data": m["data"]} for m in body["messages"]]
        key, fence = headers.get("idempotency-key"), headers.get("fencing-token")
        key = header_value(key) if key is not None else None
        self._record(
            "handover.arrived",
            call=call.id,
            conversation=list(conversation),
            messages=messages,
            key=key,
            fence=int(fence) if fence is not None else None,
        )
        stale = fence is not None and self._is_stale(conversation, int(fence))
        # The key comes before the fence: what is done is answered at once, whatever the hand-over carries.
        if key is not None and key in self._done:
            self._record("handover.repeated", call=call.id, key=key)
            self._end(call.id, "repeated")
            reply(Answer(200, b'{"success":true}'))
        elif key is not None and key in self._at_work:
            self._record("handover.joined", call=call.id, key=key)
            self._at_work[key].joined.append((call.id, reply))
        elif stale:
            self._record("handover.stale", call=call.id, fence=int(fence or 0), highest=self._fences[conversation])
            self._end(call.id, "stale")
            reply(Answer(409, b'{"success":false}'))
        else:
            self._start(Work(call.id, conversation, messages, key), reply)

    def _touch(self, conversation: tuple[str, str]) -> None:
        # Planned failures are given out in the order of arrival, whoever arrives.
        self._agenda.touch("processor", "" if self.failures_left else json.dumps(conversation))

    def _is_stale(self, conversation: tuple[str, str], fence: int) -> bool:
        highest = self._fences[conversation] = max(fence, self._fences.get(conversation, fence))
        return fence < highest

    def _start(self, work: Work, reply: Reply) -> None:
        failure = self._failure(work)
        if failure == "refused":
            self._end(work.call, "failed")
            reply(None)
            return
        if work.key is not None:
            self._at_work[work.key] = work
        window = {"slow": SLOW_MS, "too_slow": TOO_SLOW_MS}.get(failure or "", self._work_ms)
        # The draw comes from a stream of the caller's own, so that other functions' hand-overs do not shift it.
        caller = work.call.partition("-")[0]
        name, who = f"processor {work.call}", f"processor/{caller}"
        self._agenda.work(name, who, lambda: self._finish(work, reply, failure), window)

    def _failure(self, work: Work) -> str | None:
        if self.failures_left:
            planned = self.failures_left.pop(0)
            if planned == "ok":
                return None
            self._record("fault", kind="processor_failure", how=planned, call=work.call)
            return planned
        name = f"processor {work.call}"
        fault = self._faults.strike(name, "processor", ("processor_failure", "processor_too_slow"), call=work.call)
        if fault == "processor_too_slow":
            return "too_slow"
        if fault is None:
            return None
        return PROCESSOR_FAILURES[self._faults.which(f"how {name}", "processor", len(PROCESSOR_FAILURES))]

    def _finish(self, work: Work, reply: Reply, failure: str | None) -> None:
        self._touch(work.conversation)
        if work.key is not None:
            del self._at_work[work.key]
        effect = failure not in ("error_500", "says_failed", "timed_out")
        if effect:
            if work.key is not None:
                self._done.add(work.key)
            self._record(
                "handover.effect",
                call=work.call,
                conversation=list(work.conversation),
                messages=work.messages,
                key=work.key,
            )
        self._end(work.call, "done" if effect else "failed")
        answers = {
            "error_500": Answer(500, b'{"success":false}'),
            "says_failed": Answer(200, b'{"success":false}'),
            "answer_lost": None,
        }
        answer = answers.get(failure or "", Answer(200, b'{"success":true}'))
        for call, join_reply in work.joined:
            self._end(call, "joined")
            if failure != "timed_out":
                join_reply(answer)
        if failure != "timed_out":
            reply(answer)

    def _end(self, call: str, outcome: str) -> None:
        self._record("handover.ended", call=call, outcome=outcome)
