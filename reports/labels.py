"""Messages, calls and keys of one history by the short names that people read."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reports.key_names import KeyNames

Event = Mapping[str, Any]


class _Sent(NamedTuple):
    conversation: tuple[str, ...]
    text: str
    label: str


class Labels:
    """Messages by their labels, and calls by theirs. An id is that of a conversation's message: another may have the same."""

    def __init__(self, history: Sequence[Event]) -> None:
        self.keys = KeyNames(history)
        sent = [event for event in history if event["event"] == "webhook.sent"]
        self._of: dict[tuple[str, ...], str] = {}
        self._with_id: dict[str, list[_Sent]] = {}
        self.of_call: dict[str, str] = {}
        #: Calls that send once more what went by another label, and that label.
        self.again: dict[str, str] = {}
        for event in sent:
            label = str(event.get("label", event["id"]))
            conversation = tuple(map(str, event["conversation"]))
            if (*conversation, event["id"]) not in self._of:
                self._with_id.setdefault(event["id"], []).append(_Sent(conversation, str(event.get("text", "")), label))
            known_as = self._of.setdefault((*conversation, event["id"]), label)
            self.of_call[event["call"]] = label
            if known_as != label:
                self.again[event["call"]] = known_as

    def call(self, event: Event) -> str:
        """The message of a webhook call."""
        return self.of_call.get(event["call"], str(event["call"]))

    def message(self, event: Event, message: Mapping[str, Any]) -> str:
        """A message of an event's conversation; one that this does not have is another's, with the same text if there are several."""
        own = self._of.get((*map(str, event["conversation"]), message["id"]))
        if own is not None:
            return own
        others = self._with_id.get(message["id"], [])
        same = [each for each in others if each.text == message.get("text")]
        return " or ".join(each.label for each in (same if len(same) == 1 else others)) or str(message["id"])

    def listed(self, event: Event) -> str:
        """The messages of a batch."""
        return ", ".join(self.message(event, message) for message in event["messages"])

    def within(self, value: str, beside: str = "") -> list[str]:
        """The messages whose ids stand in a value. `beside` is what else is known of it: a key, a command's arguments."""
        return [
            self._which(message_id, sent, value, beside)
            for message_id, sent in self._with_id.items()
            if message_id and f'"{message_id}"' in value
        ]

    @staticmethod
    def _which(message_id: str, sent: Sequence[_Sent], value: str, beside: str) -> str:
        """Those of the messages with one id whose text stands there too, or the one whose conversation does; else any of them."""
        if len(sent) == 1:
            return sent[0].label
        times = value.count(f'"{message_id}"')
        for place in (value, beside):
            by_text = [each for each in sent if _stands(each.text, place)]
            if 0 < len({each.text for each in by_text}) == len(by_text) <= times:
                return ", ".join(each.label for each in by_text)
            by_names = [each for each in sent if all(_stands(name, place) for name in each.conversation)]
            if len(by_names) == 1:
                return by_names[0].label
        return " or ".join(each.label for each in sent)


def _stands(words: str, value: str) -> bool:
    """Whether they stand in it, as they are or as JSON writes them, and not within a longer word."""
    written = "|".join(re.escape(form) for form in (words, json.dumps(words)[1:-1]))
    return bool(words) and re.search(rf"(?<!\w)(?:{written})(?!\w)", value) is not None
