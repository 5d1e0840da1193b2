"""Planted bugs: mutants of `lease` and `fenced_lock`, each a few lines over the real class. The harness must find each.

A mutant that is not found is a defect of the harness. Names are `planted_…`, and can be given to `--strategy`.
"""

from scenarios.planted.fenced_lock_mutants import FENCED_LOCK_MUTANTS
from scenarios.planted.lease_mutants import LEASE_MUTANTS
from scenarios.planted.rare_mutants import RARE_MUTANTS

PLANTED: dict[str, str] = {**LEASE_MUTANTS, **FENCED_LOCK_MUTANTS, **RARE_MUTANTS}

__all__ = ["PLANTED", "RARE_MUTANTS"]
