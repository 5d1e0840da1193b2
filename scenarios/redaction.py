"""Consistent pseudonyms for names, phones, ids and texts: the case itself is renamed, and then run again.

Every word of a secret becomes a pseudonym; what stands between words (`:`, `{`, a newline, an emoji) stays, because it
is what such failures are about. The renamed run's history, timeline and trace then hold no secret from the start.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.simulation.case import Case

_WORD = re.compile(r"\w+")


class Redaction:
    """The pseudonyms of one case."""

    def __init__(self, case: Case) -> None:
        self._words: dict[str, str] = {}
        for sending in case.sendings:
            for kind, secret in (
                ("i", sending.instance_name),
                ("p", sending.user_phone),
                ("m", sending.message_id),
                ("t", sending.text),
            ):
                for word in _WORD.findall(secret):
                    self._words.setdefault(word, f"{kind}{_digest(word)}")

    def case(self, case: Case) -> Case:
        """The case with every secret renamed."""
        return replace(
            case,
            sendings=tuple(
                replace(
                    sending,
                    instance_name=self.text(sending.instance_name),
                    user_phone=self.text(sending.user_phone),
                    message_id=self.text(sending.message_id),
                    text=self.text(sending.text),
                    data=self._value(sending.data),
                )
                for sending in case.sendings
            ),
        )

    def schedule(self, schedule: Mapping[str, int]) -> dict[str, int]:
        """The schedule's keys with the Redis keys in them renamed."""
        return {self.text(key): value for key, value in schedule.items()}

    def text(self, text: str) -> str:
        """A text with its secret words renamed."""
        return _WORD.sub(lambda match: self._words.get(match[0], match[0]), text)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return _WORD.sub(lambda match: self._words.get(match[0], f"d{_digest(match[0])}"), value)
        if isinstance(value, list):
            return [self._value(each) for each in value]
        if isinstance(value, dict):
            return {key: self._value(each) for key, each in value.items()}
        return value


def _digest(word: str) -> str:
    return hashlib.sha256(word.encode("utf-8", "surrogatepass")).hexdigest()[:8]
