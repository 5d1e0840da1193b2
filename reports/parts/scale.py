"""What there is at another scale: the model of capacity with its checks, and the benchmarks."""

from collections.abc import Mapping
from typing import Any

from reports.figures import bench, capacity, ink
from reports.parts.simulated import Links, numbered
from reports.results import ResultFile, Results
from reports.sections import Section, Table, cell
from reports.wording import source

Row = Mapping[str, Any]


def capacities(results: Results, _links: Links) -> list[Section]:
    """A section for each study of capacity."""
    found = results.of("capacity")
    return numbered([_capacity(file) for file in found], [file.name for file in found])


def _capacity(file: ResultFile) -> Section:
    check = capacity.check_figure(file)
    return Section(
        "capacity",
        "Capacity",
        text="A model, held against loads where it was; what it leaves out is in `docs/capacity.md`.",
        figures=(capacity.figure(file), capacity.day_figure(file), *([check] if check is not None else [])),
        tables=(_checks(file),) if check is not None else (),
    )


def _checks(file: ResultFile) -> Table:
    checks: list[Row] = file.document["checks"]
    order = ink.in_order(each["strategy"] for each in checks)
    ordered = sorted(checks, key=lambda each: (order.index(each["strategy"]), each["rate_per_s"]))
    return Table(
        name="capacity-checks-table",
        title="Predicted and measured",
        caption=(
            "Coloured: further than 25 % from what was measured. "
            f"{source(file, 'checks[].predicted, .measured, .ratio, .within', timed=False)}"
        ),
        header=("strategy", "messages a second", *capacity.QUANTITIES.values()),
        rows=tuple(
            (
                cell(each["strategy"]),
                cell(f"{each['rate_per_s']:g}"),
                *(
                    cell(
                        f"{each[name]['predicted']:.3g} / {each[name]['measured']:.3g}",
                        "good" if each[name]["within"] else "doubt",
                        hint=f"predicted ÷ measured: {each[name]['ratio']:.2f}",
                    )
                    for name in capacity.QUANTITIES
                ),
            )
            for each in ordered
        ),
        look="numbers",
    )


def benches(results: Results, _links: Links) -> list[Section]:
    """A section for each file of benchmarks."""
    found = results.of("bench")
    return numbered([_bench(file) for file in found], [file.name for file in found])


def _bench(file: ResultFile) -> Section:
    picture = bench.figure(file)
    numbers = list(bench.numbers_of(file.document["figures"]))
    table = Table(
        name="bench-numbers",
        title=f"{len(numbers)} further figures of the benchmarks",
        caption=f"Plain numbers beside the ratios; times and rates are the machine's. {source(file, 'figures', timed=False)}",
        header=("figure", "value"),
        rows=tuple((cell(name), cell(f"{value:,.6g}")) for name, value in numbers),
        look="numbers",
    )
    return Section(
        "bench",
        "Benchmarks",
        figures=(picture,) if picture is not None else (),
        tables=(table,) if numbers else (),
    )
