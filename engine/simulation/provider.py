"""The users and the provider, as SimPy processes: messages are sent, and sent again where the case says so."""

import json
from bisect import insort
from collections.abc import Callable, Generator
from typing import Any

import simpy

from engine.exploration.scheduler import Choices
from engine.simulation.agenda import Agenda
from engine.simulation.case import Case, Sending
from engine.simulation.faults import Faults
from engine.simulation.http import Answer, Call, Network

#: The provider repeats within REPEAT_HORIZON_SECONDS. A fault does it soon; the scenario `late_repeats` at any time within it.
REPEAT_MS = (0, 700_000)
RETRY_MS = (1_000, 60_000)


class Provider:
    """Sends the case's messages to the webhook."""

    def __init__(
        self,
        agenda: Agenda,
        network: Network,
        choices: Choices,
        faults: Faults,
        record: Callable[..., None],
        case: Case,
        *,
        timeout_ms: int,
        repeat_horizon_ms: int,
    ) -> None:
        self._agenda = agenda
        self._network = network
        self._choices = choices
        self._faults = faults
        self._record = record
        self._case = case
        self._timeout_ms = timeout_ms
        self._repeat_horizon_ms = repeat_horizon_ms
        self._calls = 0
        self._attempts: dict[str, int] = {}
        for sending in case.sendings:
            agenda.env.process(self._user(sending))
        self.unsent = len(case.sendings)
        self.to_send = 0
        #: When something will be sent, as far as it is known, in order.
        self.upcoming_ms = sorted(sending.at_ms for sending in case.sendings)
        self.last_sent_ms = 0

    def _user(self, sending: Sending) -> Generator[simpy.Event, Any, None]:
        yield self._agenda.env.timeout(sending.at_ms)
        self.unsent -= 1
        self.upcoming_ms.remove(sending.at_ms)
        self._send_at(sending, 0)
        for repeat_ms in sending.repeats_ms:
            self._send_at(sending, repeat_ms)
        name = f"provider {sending.label}"
        if self._faults.strike(name, "provider", ("webhook_repeated",), label=sending.label):
            longest = min(REPEAT_MS[1], self._repeat_horizon_ms)
            self._send_at(sending, self._faults.number(f"repeat {name}", "provider", REPEAT_MS[0], longest))

    def _send_at(self, sending: Sending, delay_ms: int) -> None:
        self.to_send += 1
        due_ms = self._agenda.now_ms + delay_ms
        insort(self.upcoming_ms, due_ms)
        self._agenda.at(
            "provider", f"provider sends {sending.label}", None, lambda: self._send(sending, due_ms), due_ms
        )

    def _send(self, sending: Sending, due_ms: int) -> None:
        conversation = json.dumps([sending.instance_name, sending.user_phone])
        self._agenda.touch("provider", conversation)
        self.to_send -= 1
        self.upcoming_ms.remove(due_ms)
        self.last_sent_ms = self._agenda.now_ms
        self._calls += 1
        call_id = f"w{self._calls}"
        attempt = self._attempts[sending.label] = self._attempts.get(sending.label, 0) + 1
        self._record(
            "webhook.sent",
            call=call_id,
            conversation=[sending.instance_name, sending.user_phone],
            id=sending.message_id,
            text=sending.text,
            data=sending.data,
            attempt=attempt,
            label=sending.label,
        )
        expired = self._agenda.at(
            "provider",
            f"provider gives up on {call_id}",
            None,
            lambda: answered(TimeoutError("no answer in time")),
            self._agenda.now_ms + self._timeout_ms,
        )
        over = False

        def answered(outcome: Answer | Exception) -> None:
            nonlocal over
            self._agenda.touch("provider", conversation, writes=False)
            if over:
                return
            over = True
            self._agenda.cancel(expired)
            if isinstance(outcome, Answer):
                self._record("webhook.confirmed", call=call_id, status=outcome.status)
            else:
                self._record("webhook.failed", call=call_id, error=type(outcome).__name__)
            if not (isinstance(outcome, Answer) and 200 <= outcome.status < 300):
                self._send_again(sending, attempt)

        self._network.send(
            Call(
                kind="webhook",
                id=call_id,
                path="/webhook",
                headers=(("content-type", "application/json"), ("x-request-id", call_id)),
                body=webhook_body(sending),
                name=f"provider {sending.label}",
                actor="provider",
                caller=None,
                done=answered,
            )
        )

    def _send_again(self, sending: Sending, attempt: int) -> None:
        if attempt > self._case.provider_retries:
            return
        name = f"provider retries {sending.label}"
        delay_ms = self._choices.number("provider", name, *RETRY_MS, shape="log_uniform")
        if self._agenda.now_ms + delay_ms <= sending.at_ms + self._repeat_horizon_ms:
            self._send_at(sending, delay_ms)


def webhook_body(sending: Sending) -> bytes:
    """A message as the webhook's plain JSON; ASCII, so that lone surrogates survive."""
    return json.dumps(
        {
            "instance_name": sending.instance_name,
            "user_phone": sending.user_phone,
            "message_id": sending.message_id,
            "text": sending.text,
            "data": sending.data,
        }
    ).encode("ascii")
