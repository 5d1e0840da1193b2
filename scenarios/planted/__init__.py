"""Planted bugs: mutants of `lease` and `fenced_lock`, each a few lines over the real class. The harness must find each.

A mutant that is not found is a defect of the harness. Names are `planted_…`, and can be given to `--strategy`.
"""

from scenarios.planted.fenced_lock_mutants import FENCED_LOCK_MUTANTS
from scenarios.planted.lease_mutants import LEASE_MUTANTS
from scenarios.planted.rare_mutants import RARE_MUTANTS

PLANTED: dict[str, str] = {**LEASE_MUTANTS, **FENCED_LOCK_MUTANTS, **RARE_MUTANTS}

_ANYWHERE = (
    "boundary", "retry", "steady", "any_fault", "cluster", "webhook_repeats", "two_conversations", "skewed_clocks"
)  # fmt: skip
_WHERE = {
    "planted_finish_without_token": ("steady", "steady_failures"),
    "planted_give_back_without_token": ("attempts_used_up",),
    "planted_repeat_not_armed": ("fault_crash", "any_fault"),
    "planted_lease_forever": ("fault_crash", "any_fault"),
    "planted_sweep_by_skewed_clock": ("skewed_clocks", "steady"),
    "planted_fenced_finish_without_fence": ("steady_failures",),
    "planted_fenced_failures_stay": ("retry", "attempts_used_up"),
    "planted_fenced_repeat_not_armed": ("fault_crash",),
    "planted_fenced_finish_forgets_pending": ("fault_crash", "held_up"),
    "planted_fenced_lock_forever": ("fault_crash",),
    "planted_fenced_markers_end_soon": ("webhook_repeats",),
    "planted_fenced_take_overwrites": ("steady_failures", "retry"),
    "planted_fenced_time_out_is_final": ("retry",),
    "planted_finish_looks_first": ("during_processing",),
    "planted_finish_arms_afterwards": ("fault_crash", "held_up"),
    "planted_failed_batch_drops_markers": ("any_fault",),
    "planted_early_claim_disarms": ("held_up",),
    "planted_busy_claim_disarms": ("held_up", "fault_crash"),
    "planted_claim_reads_later": ("held_up",),
    "planted_new_key_on_second_theft": ("fault_crash", "held_up"),
    "planted_finish_compares_length": ("steady_failures",),
    "planted_sighting_ends_marker": ("attempts_used_up",),
    "planted_failure_forgets_markers": ("any_fault",),
    "planted_dead_letter_takes_pending": ("steady_failures",),
    "planted_dead_letter_moved_first": ("attempts_used_up",),
    "planted_finish_disarms_first": ("fault_crash", "held_up"),
    "planted_fenced_finish_compares_length": ("steady_failures",),
    "planted_fenced_dead_letter_moved_first": ("attempts_used_up",),
    "planted_theft_takes_pending": ("fault_crash",),
}


def where_to_look(mutant: str) -> tuple[str, ...]:
    """The scenarios in which to look for a planted bug first. A bug that needs several rare things has its own."""
    return _WHERE.get(mutant, _ANYWHERE)


__all__ = ["FENCED_LOCK_MUTANTS", "LEASE_MUTANTS", "PLANTED", "RARE_MUTANTS", "where_to_look"]
