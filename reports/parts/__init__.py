"""The parts of a report, in their order: each makes its sections from the result files of its kind."""

from collections.abc import Callable

from reports.parts import scale, search, server, simulated
from reports.parts.simulated import Links
from reports.results import Results
from reports.sections import Section

Part = Callable[[Results, Links], list[Section]]
PARTS: tuple[Part, ...] = (
    simulated.BOUNDARY,
    simulated.RISK,
    simulated.verdicts,
    search.proofs,
    simulated.FAULTS,
    simulated.STEPS,
    simulated.RETRY,
    simulated.COST,
    server.loads,
    server.under_faults,
    server.conformances,
    search.campaigns,
    search.finds,
    scale.capacities,
    scale.benches,
)


def sections_of(results: Results, links: Links) -> list[Section]:
    """The sections for which there are results."""
    return [section for part in PARTS for section in part(results, links)]
