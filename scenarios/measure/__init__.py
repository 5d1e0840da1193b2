"""Measurements for reports: rates and costs, each a pure function of the seed, a bounded number of `timed` runs.

Each module is one measurement, written as one result file of its kind (`NAME`): `items` says which cells there are,
`cell` measures one, in a worker process. No number here depends on the machine, the wall clock or the number of processes.
"""

from scenarios.measure.making import MEASUREMENTS, measure
from scenarios.measure.profile import Profile, read_profile

__all__ = ["MEASUREMENTS", "Profile", "measure", "read_profile"]
