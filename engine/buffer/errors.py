"""The engine's errors.

BufferproofError
├── UsageError            wrong input: one line that says what is wrong and what to do; the command exits with 2
└── HandOverError         a batch was not confirmed by the processor
    ├── HandOverFailed    it answered with an error, or with a 200 that says it failed
    ├── HandOverUnanswered  no answer in time, or the connection broke: it may have been done (the ambiguous outcome)
    └── HandOverRefused   a newer fencing token was seen: this holder is stale and must stop
"""

import difflib
from collections.abc import Iterable


class BufferproofError(Exception):
    """Any error of this project."""


class UsageError(BufferproofError):
    """Wrong input. Its text is one line: what is wrong and what to do."""


class HandOverError(BufferproofError):
    """The processor did not confirm a batch."""


class HandOverFailed(HandOverError):
    """The processor answered that it failed: an HTTP error, or a 200 whose body says `"success": false`."""


class HandOverUnanswered(HandOverError):
    """No answer: refused, broken or timed out. The batch may have been processed all the same."""


class HandOverRefused(HandOverError):
    """The processor has seen a higher fencing token for this conversation (HTTP 409)."""


def choices(value: str, names: Iterable[str], listed_by: str = "") -> str:
    """What to say to a name that there is not: the nearest ones, and all of them or the command that lists them."""
    names = list(names)
    near = difflib.get_close_matches(value, names)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return hint + (f"`{listed_by}` lists all" if listed_by else f"there are {', '.join(names)}")
