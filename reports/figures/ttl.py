"""Loss by the length of an outage and the buffer's TTL: the old value, the plan's, and where it is safe."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from reports.figures import ink
from reports.figures.drawing import Figure, Page
from reports.figures.heat import grid
from reports.intervals import Estimate, wilson
from reports.results import ResultFile
from reports.wording import runs_of, source

Row = Mapping[str, Any]
OLD_S, PLAN_S = 15, 60
#: What each design sets when nothing else is asked for; None: its buffers have no TTL while they wait.
OWN_TTL_S = {"baseline": OLD_S, "lock": PLAN_S, "lua": PLAN_S}


def figure(file: ResultFile) -> Figure:
    """The figure from a file of the kind `retry_ttl_grid`."""
    rows = file.document["loss"]
    return Figure(
        name="ttl",
        title=message(rows),
        caption=(
            "One message; Redis goes away 7 s after it, for so long (columns). Rows: the buffer's TTL (the old value is 15 s, "
            "the plan's 60 s; `fenced_lock` and `lease` have none while a message waits, so theirs are alike). Number: % of "
            f"{runs_of(rows)} runs in which the message was lost, over processor times of {_works(rows)} s. Outlined: what the "
            f"design sets by itself. {source(file, 'loss[].lost, .runs, .outage_s, .buffer_ttl_s')}"
        ),
        draw=lambda page: _draw(rows, page),
    )


def _works(rows: list[Row]) -> str:
    return " and ".join(str(each) for each in sorted({row["processor_s"] for row in rows}))


def cells_of(rows: list[Row], strategy: str) -> dict[tuple[int, int], Estimate]:
    """Loss by (outage, TTL) in seconds, over all processor times."""
    sums: dict[tuple[int, int], list[int]] = {}
    for row in rows:
        if row["strategy"] == strategy:
            both = sums.setdefault((row["outage_s"], row["buffer_ttl_s"]), [0, 0])
            both[0] += row["lost"]
            both[1] += row["runs"]
    return {place: wilson(lost, runs) for place, (lost, runs) in sums.items()}


def survives_s(rows: list[Row], strategy: str, ttl_s: int | None = None) -> int:
    """The longest outage up to which nothing was ever lost at this TTL (None: the design's own). 0: not the shortest."""
    ttl_s = OWN_TTL_S.get(strategy) if ttl_s is None else ttl_s
    cells = cells_of(rows, strategy)
    longest = 0
    for outage_s in sorted({outage_s for outage_s, _ in cells}):
        mine = [each for (o, t), each in cells.items() if o == outage_s and ttl_s in (None, t)]
        if not mine or any(each.hits for each in mine):
            break
        longest = outage_s
    return longest


def up_to(outage_s: int) -> str:
    """The longest outage that was survived, in words."""
    return f"{outage_s} s" if outage_s else "none"


def longest_s(rows: list[Row]) -> int:
    """The longest outage that was tried."""
    return max((row["outage_s"] for row in rows), default=0)


def message(rows: list[Row]) -> str:
    """What the plan's TTL makes of the old one, and who needs none."""
    names = ink.in_order(row["strategy"] for row in rows)
    told = []
    for name in names:
        if OWN_TTL_S.get(name) == PLAN_S:
            before, after = survives_s(rows, name, OLD_S), survives_s(rows, name, PLAN_S)
            told.append(f"{name} survives {up_to(before)} with a TTL of {OLD_S} s and {up_to(after)} with {PLAN_S} s")
    free = [n for n in names if n not in OWN_TTL_S and survives_s(rows, n) == longest_s(rows)]
    if free:
        told.append(f"{' and '.join(free)} survived all that was tried, up to {longest_s(rows)} s")
    return "Outages of Redis: " + "; ".join(told)


def _draw(rows: list[Row], page: Page) -> Canvas:
    names = ink.in_order(row["strategy"] for row in rows)
    outages = sorted({row["outage_s"] for row in rows})
    ttls = sorted({row["buffer_ttl_s"] for row in rows})
    labels = [f"{t}{' (old)' if t == OLD_S else ' (plan)' if t == PLAN_S else ''}" for t in ttls]
    columns = 1 if page.narrow else 2
    lines = -(-len(names) // columns)
    canvas = page.canvas((0.22 * len(ttls) + 0.45) * lines + 0.45)
    panels = canvas.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        cells = {(outages.index(o), ttls.index(t)): each for (o, t), each in cells_of(rows, name).items()}
        grid(axes, cells, [str(each) for each in outages], labels, size=7)
        axes.set_title(name)
        if OWN_TTL_S.get(name) in ttls:
            y = ttls.index(OWN_TTL_S[name])
            axes.add_patch(
                Rectangle(
                    (-0.5, y - 0.5), len(outages), 1, fill=False, edgecolor=ink.TEXT, linewidth=1.3, clip_on=False
                )
            )
    for place, axes in enumerate(panels):
        if place >= len(names):
            axes.set_visible(False)
        elif place >= len(names) - columns:
            axes.set_xlabel("Redis away for (s), from 7 s after the message")
            axes.xaxis.set_tick_params(labelbottom=True)
        if place % columns == 0 and place < len(names):
            axes.set_ylabel("buffer TTL (s)", fontsize=7.5)
    return canvas
