"""The first screen: four questions that somebody who must choose asks, answered from the results."""

from reports.results import Results
from reports.sections import Answer


def answers_of(results: Results) -> list[Answer]:
    """The answers for which there are results."""
    return []
