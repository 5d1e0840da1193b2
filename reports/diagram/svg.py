"""The diagram as SVG: a lane for each party, slanted arrows for what is on its way, conflicting steps in a band of their own.

It stands by itself (its style is inside, for light and dark) and may stand in a page. Colours are those that the colour-blind
can tell apart (M. Okabe and K. Ito, 2008), and none is the only sign of anything: marks have numbers, effects a frame,
replies are dashed, what is lost ends in a cross.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

from reports.diagram.model import PROCESSOR, REDIS, USERS, Arrow, Diagram, Row, in_order_except
from reports.diagram.words import printable

_ROW, _HEAD, _PAD = 33, 46, 16
_TIME, _USERS, _REDIS, _PROCESSOR = 84, 84, 250, 90
_FUNCTION_MIN, _FUNCTION_MAX = 96, 150
_CHAR = 7.3  # the width of a letter at 12 px in the fonts below, generously
_LETTERS = 34
_TITLES = {USERS: "users", REDIS: "Redis", PROCESSOR: "processor"}

_STYLE = """
.sd { --ink: #1c1e21; --soft: #5c6068; --line: #c4c8cf; --paper: #fefefe; --band: #fdf0d5; --mark: #b84300; --effect: #00704f;
  --effect-paper: #dcf2ea; --flow: #0060a8; --chosen: #e3eefb;
  font: 12px "DejaVu Sans Mono", ui-monospace, Menlo, Consolas, monospace; }
@media (prefers-color-scheme: dark) { .sd { --ink: #e7e9ec; --soft: #a3a8b1; --line: #4a4f58; --paper: #1b1d21; --band: #42330f;
  --mark: #ff9a5c; --effect: #4fd0a5; --effect-paper: #0d3a2d; --flow: #6cb6f5; --chosen: #1c3350; } }
.sd .paper { fill: var(--paper); }
.sd text { fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
.sd .soft { fill: var(--soft); }
.sd .lane { stroke: var(--line); stroke-width: 1.5; }
.sd .title { font-weight: bold; font-size: 13px; text-anchor: middle; }
.sd .band { fill: var(--band); }
.sd .marked text { stroke: var(--band); font-weight: bold; }
.sd .number { fill: var(--mark); }
.sd .marked text.badge { fill: var(--paper); stroke: none; text-anchor: middle; }
.sd .time { text-anchor: end; }
.sd .arrow { stroke: var(--flow); stroke-width: 1.3; fill: none; }
.sd .reply { stroke-dasharray: 5 3; }
.sd .lost { stroke: var(--mark); }
.sd .tip { fill: var(--flow); stroke: none; }
.sd .lost.tip { fill: none; stroke: var(--mark); stroke-width: 2; }
.sd .dot { fill: var(--ink); }
.sd .trouble, .sd .fault { fill: var(--mark); }
.sd .frame { fill: var(--effect-paper); stroke: var(--effect); stroke-width: 1.3; }
.sd .effect text { stroke: none; font-weight: bold; }
.sd .chosen-band { fill: none; }
.sd .step.chosen .chosen-band { fill: var(--chosen); }
.sd .step.chosen text { stroke: var(--chosen); }
.sd .step.chosen text.badge, .sd .step.chosen.effect text { stroke: none; }
"""


def _with_plain_colours(style: str) -> str:
    """Before each colour that is a variable the light one itself: many viewers know no variables."""
    light = dict(reversed(re.findall(r"(--[\w-]+): (#\w+)", style)))
    return re.sub(r"([\w-]+): var\((--[\w-]+)\)", lambda use: f"{use[1]}: {light[use[2]]}; {use[0]}", style)


STYLE = _with_plain_colours(_STYLE)


@dataclass(frozen=True)
class _Layout:
    """Where lanes and moments are, in pixels."""

    x: Mapping[str, float]
    y: Mapping[int, float]
    width: float
    height: float
    gap: float


def svg(diagram: Diagram, *, title: str = "", foot: bool = True) -> str:
    """The diagram as one SVG element. `foot`: with the sentences below it, as a file of its own needs them."""
    layout = _layout(diagram)
    sentences = list(_foot(diagram, layout.width)) if foot else []
    head = 30 if title else 0
    height = layout.height + head + (24 + 17 * len(sentences) if sentences else 0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sd" viewBox="0 0 {layout.width:.0f} {height:.0f}"'
        f' width="{layout.width:.0f}" height="{height:.0f}" role="img" aria-label="{_attribute(title or "sequence diagram")}">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{layout.width:.0f}" height="{height:.0f}"/>',
    ]
    if title:
        parts.append(f'<text class="title" style="text-anchor: start" x="{_PAD}" y="24">{_safe(title)}</text>')
    parts.append(f'<g transform="translate(0 {head})">')
    parts += _lanes(diagram, layout)
    parts += [part for row in diagram.rows for part in _band(row, layout)]
    parts += [part for arrow in diagram.arrows for part in _arrow(arrow, layout)]
    # Words give way to the line that starts or ends at their own lane.
    shifts = {
        a.row: -7 if a.start == a.row else 13
        for a in diagram.arrows
        if a.row in (a.start, a.end) and _from_left(a, layout)
    }
    parts += [part for row in diagram.rows for part in _step(diagram, row, layout, shifts.get(row.at, 4))]
    for number, line in enumerate(sentences):
        parts.append(f'<text x="{_PAD}" y="{layout.height + 20 + 17 * number:.0f}">{_safe(line)}</text>')
    return "\n".join([*parts, "</g>", "</svg>"])


def _layout(diagram: Diagram) -> _Layout:
    functions = [lane for lane in diagram.lanes if lane not in (USERS, REDIS, PROCESSOR)]
    x: dict[str, float] = {USERS: _TIME + 46}
    at = _TIME + _USERS + 10.0
    for lane in functions:
        longest = max([len(row.words) for row in diagram.rows if row.lane == lane], default=0)
        # The last column holds its words whole; those before may run on over their neighbours' lines.
        whole = _FUNCTION_MAX + 80 if lane == functions[-1] else _FUNCTION_MAX
        x[lane] = at
        at += min(max(min(longest, _LETTERS) * _CHAR + 24, _FUNCTION_MIN), whole)
    x[REDIS] = at
    results = max([len(r.result or (r.words if r.lane == REDIS else "")) for r in diagram.rows], default=0)
    at += min(max(min(results, _LETTERS) * _CHAR + 30, 90), _REDIS)
    x[PROCESSOR] = at + 30
    last = max([len(row.words) for row in diagram.rows if row.lane == PROCESSOR], default=0)
    right = at + 30 + max(min(last, _LETTERS) * _CHAR + 24, _PROCESSOR)
    return _Layout(x, _heights(diagram), right, _HEAD + _ROW * len(diagram.rows) + _PAD, _ROW)


def _heights(diagram: Diagram) -> dict[int, float]:
    """How far down each moment stands: rows at even distances, arrows' other ends spread over the gap between two rows."""
    rows = {row.at: _HEAD + _ROW * (place + 0.5) for place, row in enumerate(diagram.rows)}
    ends = sorted({end for arrow in diagram.arrows for end in (arrow.start, arrow.end)} - set(rows))
    order = sorted(rows)
    y = dict(rows)
    between: dict[int, list[int]] = {}
    for end in ends:
        between.setdefault(sum(at < end for at in order), []).append(end)
    for place, inside in between.items():
        top = rows[order[place - 1]] if place else _HEAD - 4
        bottom = rows[order[place]] if place < len(order) else top + _ROW
        for number, end in enumerate(inside, 1):
            y[end] = top + (bottom - top) * number / (len(inside) + 1)
    return y


def _lanes(diagram: Diagram, layout: _Layout) -> Iterator[str]:
    for lane in diagram.lanes:
        x = layout.x[lane]
        yield f'<text class="title" x="{x:.1f}" y="20">{_safe(_TITLES.get(lane, lane))}</text>'
        yield f'<line class="lane" x1="{x:.1f}" y1="28" x2="{x:.1f}" y2="{layout.height - 6:.1f}"/>'
    yield f'<text class="soft time" x="{_TIME - 14}" y="20">s</text>'


def _band(row: Row, layout: _Layout) -> Iterator[str]:
    if row.mark:
        top = layout.y[row.at] - _ROW / 2
        yield f'<rect class="band" x="0" y="{top:.1f}" width="{layout.width:.0f}" height="{_ROW}"/>'


def _arrow(arrow: Arrow, layout: _Layout) -> Iterator[str]:
    if arrow.source not in layout.x or arrow.target not in layout.x:
        return
    x1, x2 = layout.x[arrow.source], layout.x[arrow.target]
    y1, y2 = layout.y[arrow.start], layout.y[arrow.end]
    kinds = f"{' reply' if arrow.reply else ''}{' lost' if arrow.lost else ''}"
    if arrow.lost:
        x2 = (x1 + x2) / 2
    direction = 1 if x2 > x1 else -1
    yield f'<path class="arrow{kinds}" d="M{x1:.1f} {y1:.1f} L{x2 - 5 * direction:.1f} {y2:.1f}"/>'
    if arrow.lost:
        yield f'<path class="lost tip" d="M{x2 - 5:.1f} {y2 - 5:.1f} l10 10 m0 -10 l-10 10"/>'
    else:
        yield f'<path class="tip" d="M{x2:.1f} {y2:.1f} l{-8 * direction} -4 l0 8 z"/>'


def _from_left(arrow: Arrow, layout: _Layout) -> bool:
    """Whether an arrow runs on the right side of the lane of its row, where the words stand."""
    lane = arrow.source if arrow.row == arrow.start else arrow.target
    other = arrow.target if arrow.row == arrow.start else arrow.source
    return layout.x.get(lane, 0) < layout.x.get(other, 0)


def _step(diagram: Diagram, row: Row, layout: _Layout, shift: int) -> Iterator[str]:
    y = layout.y[row.at]
    kinds = f"{' marked' if row.mark else ''}{' effect' if row.kind == 'effect' else ''}"
    yield f'<g class="step{kinds}" data-at="{row.at}">'
    yield f"<title>{_safe(f'{diagram.seconds(row.t_ms)} s  {row.words}  {row.result}')}</title>"
    yield (
        f'<rect class="chosen-band" x="0" y="{y - _ROW / 2 + 1:.1f}" width="{_TIME - 6}" height="{_ROW - 2}" rx="4"/>'
    )
    if row.mark:
        yield f'<circle class="number" cx="{_PAD - 2}" cy="{y:.1f}" r="8"/>'
        yield f'<text class="badge" x="{_PAD - 2}" y="{y + 4:.1f}">{row.mark}</text>'
    if row.skipped:
        yield f'<text class="soft" x="26" y="{y - _ROW / 2 + 4:.1f}">⋮</text>'
    yield f'<text class="time soft" x="{_TIME - 8}" y="{y + 4:.1f}">{diagram.seconds(row.t_ms)}</text>'
    yield from _words(row, layout, y, shift)
    yield "</g>"


def _words(row: Row, layout: _Layout, y: float, shift: int) -> Iterator[str]:
    x = layout.x[row.lane if row.lane in layout.x else REDIS]
    words = _cut(row.words)
    kind = row.kind if row.kind in ("trouble", "fault") else ""
    if row.kind == "effect":
        wide = len(words) * _CHAR + 14
        yield f'<rect class="frame" x="{x - 7:.1f}" y="{y - 11:.1f}" width="{wide:.1f}" height="22" rx="4"/>'
        yield f'<text x="{x:.1f}" y="{y + 4:.1f}">{_safe(words)}</text>'
        return
    command = row.kind in ("command", "trouble") and bool(row.result)
    # A command's words stand between its arrow and its reply's, where these set out and arrive.
    yield f'<circle class="dot" cx="{layout.x[REDIS] if command else x:.1f}" cy="{y:.1f}" r="3"/>'
    yield f'<text class="{kind}" x="{x + 9:.1f}" y="{y + (3 if command else shift):.1f}">{_safe(words)}</text>'
    if row.result:
        yield f'<text class="{kind}" x="{layout.x[REDIS] + 10:.1f}" y="{y + 4:.1f}">{_safe(_cut(row.result))}</text>'


def _foot(diagram: Diagram, width: float) -> Iterator[str]:
    letters = int((width - 2 * _PAD) / _CHAR) - 4
    if diagram.explanation:
        yield from textwrap.wrap(diagram.explanation, letters, initial_indent="→ ", subsequent_indent="  ")
    if diagram.exceptions is not None:
        told = in_order_except(diagram.exceptions)
        yield from textwrap.wrap(told, letters, initial_indent="= ", subsequent_indent="  ")
    if diagram.skipped:
        yield f"⋮ {diagram.skipped} lesser steps left out"


def _cut(words: str) -> str:
    words = " ".join(words.split())
    return words if len(words) <= _LETTERS else words[: _LETTERS - 1] + "…"


def _safe(words: str) -> str:
    return escape(printable(words))


def _attribute(words: str) -> str:
    return _safe(words).replace('"', "&quot;")
