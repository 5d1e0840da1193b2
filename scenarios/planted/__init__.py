"""Planted bugs: mutants of `lease` and `fenced_lock`, each a few lines over the real class. The harness must find each.

A mutant that is not found is a defect of the harness. Names are `planted_…`, and can be given to `--strategy`.
"""

from scenarios.planted.lease_mutants import LEASE_MUTANTS

PLANTED: dict[str, str] = dict(LEASE_MUTANTS)

__all__ = ["PLANTED"]
