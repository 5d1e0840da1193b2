"""Redis keys by what they are, not whose: `msg_buffer:bot:4915110000001` is `msg_buffer`, for people who read one run."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

#: As long as one may be on a line with everything else. Of a longer one the last words stay: it begins with what is common to all.
_WIDTH = 24
_WORD = re.compile(r"[\w.-]+")
#: A token or a digest: it says which one, not what.
_WHICH = re.compile(r"[0-9a-f-]{12,}|null|true|false")
#: Part of a JSON text that stands in the key: a message, or a conversation's names.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


class KeyNames:
    """The short names of one history's keys: without the names of its conversations, the ids of its messages, and numbers."""

    def __init__(self, history: Sequence[Mapping[str, Any]]) -> None:
        sent = [event for event in history if event["event"] == "webhook.sent"]
        whose = {str(name) for event in sent for name in (*event["conversation"], event["id"])} - {""}
        self._whose = sorted(whose, key=lambda name: (-len(name), name))
        self._short: dict[str, str] = {}

    def __getitem__(self, key: str) -> str:
        """The short name of a key; of one that says nothing else, its beginning."""
        short = self._short.get(key)
        if short is None:
            short = self._short[key] = self._of(key)
        return short

    def _of(self, key: str) -> str:
        rest = key
        for name in self._whose:
            if name in rest:
                rest = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", rest)
        said = _words(_QUOTED.sub(" ", rest)) or _words(rest)
        while len(said) > 1 and len(":".join(said)) > _WIDTH:
            said.pop(0)
        what = ":".join(said) or key
        return what if len(what) <= _WIDTH else what[: _WIDTH - 1] + "…"


def _words(text: str) -> list[str]:
    words = [word.strip(".-") for word in _WORD.findall(text)]
    return [word for word in words if any(map(str.isalpha, word)) and not _WHICH.fullmatch(word)]
