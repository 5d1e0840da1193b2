"""The diagram for terminals: a line a row, a column for each function, one for Redis and one for the processor."""

import builtins
import re
import shlex
import textwrap
from collections.abc import Mapping, Sequence

from reports.diagram.model import PROCESSOR, REDIS, USERS, Diagram, in_order_except
from reports.diagram.words import printable

#: With the head and the four lines at the end about as many as a person reads in a minute.
ROWS = 14
#: As wide as a window usually is.
WIDTH = 118
_TIME = 11
_FUNCTION_MAX, _FUNCTION_MIN = 32, 12
_REDIS_MAX, _REDIS_MIN = 38, 22
_PROCESSOR = 18


def text(diagram: Diagram, *, rows_max: int = ROWS, width: int = WIDTH) -> str:
    """The diagram as lines; what is left out is where `⋮` stands, and `►` marks the conflicting steps."""
    shown = diagram.folded(rows_max)
    functions = [lane for lane in shown.lanes if lane not in (USERS, REDIS, PROCESSOR)]
    widths = _widths(shown, functions, width)
    columns = [*functions, REDIS, PROCESSOR]
    head = _line("  ", "time", {name: name for name in columns}, widths)
    if shown.skipped:
        said = f"{head}  ⋮ {shown.skipped} lesser steps left out"
        head = said if len(said) <= width else f"{head}  {_left_out(shown)}"
    out = [head]
    for row in shown.rows:
        # What concerns the users is said in the last column: there it meets the effects.
        column = row.lane if row.lane in widths else PROCESSOR
        cells = {column: row.words}
        if row.result:
            cells[REDIS] = row.result
        sign = f"{'⋮' if row.skipped else ' '}{'►' if row.mark else ' '}"
        out.append(_line(sign, shown.seconds(row.t_ms), cells, widths))
    for words in _programming_errors(diagram):
        out += _wrapped("  ✗ ", words, width)
    if shown.explanation:
        out += _wrapped("  → ", shown.explanation, width)
    if shown.exceptions is not None:
        out += _wrapped("  = ", in_order_except(shown.exceptions), width)
    if shown.replay:
        out.append(f"  replay: bufferproof replay {shlex.quote(shown.replay)}")
    return "\n".join(out)


def _programming_errors(diagram: Diagram) -> list[str]:
    """Errors of the design's own code, in full: a column would cut them, and no schedule explains them."""
    errors = [(words, re.match(r"✗ (?:\w+: )?(\w+): ", words)) for words in (row.words for row in diagram.rows)]
    own = [words.removeprefix("✗ ") for words, name in errors if name is not None and _is_own(name[1])]
    return list(dict.fromkeys(own))[:2]


def _is_own(name: str) -> bool:
    kind = getattr(builtins, name, None)
    return isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, OSError)


def _left_out(shown: Diagram) -> str:
    return f"⋮ {shown.skipped} left out"


def _widths(shown: Diagram, functions: Sequence[str], width: int) -> dict[str, int]:
    """Columns as wide as what they hold, and narrower where there are many functions."""
    needed = {lane: max([len(r.words) for r in shown.rows if r.lane == lane], default=0) for lane in shown.lanes}
    results = max([len(row.result) for row in shown.rows], default=0)
    last = max([len(row.words) for row in shown.rows if row.lane in (USERS, PROCESSOR)], default=0)
    widths = {name: min(max(needed[name], 4), _FUNCTION_MAX) for name in functions}
    widths[REDIS] = min(max(results, needed.get(REDIS, 0), 5), _REDIS_MAX)
    widths[PROCESSOR] = min(max(last, 9), _PROCESSOR)
    # The head says in the last column how much is left out, beside that column's name.
    beside = max(0, len(PROCESSOR) + 2 + len(_left_out(shown)) - widths[PROCESSOR]) if shown.skipped else 0
    while _TIME + sum(widths.values()) + 2 * len(widths) + beside > width:
        widest = max(widths, key=lambda name: widths[name])
        if widths[widest] <= _FUNCTION_MIN:
            break
        widths[widest] -= 1
    return widths


def _line(sign: str, time: str, cells: Mapping[str, str], widths: Mapping[str, int]) -> str:
    parts = [_cut(cells.get(name, ""), width).ljust(width) for name, width in widths.items()]
    return f"{sign}{time:>8}  {'  '.join(parts)}".rstrip()


def _cut(words: str, width: int) -> str:
    words = printable(" ".join(words.split()))
    return words if len(words) <= width else words[: width - 1] + "…"


def _wrapped(sign: str, sentence: str, width: int) -> list[str]:
    return textwrap.wrap(
        printable(sentence), width, initial_indent=sign, subsequent_indent=" " * len(sign), break_long_words=False
    ) or [sign]
