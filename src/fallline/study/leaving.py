"""What decides when settings that have ended leave a population: what a few steps of it cost."""

from collections.abc import Sequence

from fallline import cohorts
from fallline.problems import Prepared
from fallline.training import Member

COMPILING = 20.0
"""Seconds that a first compilation takes on a machine."""
SAVED_BY_COMPILING = 0.4
"""The part of a population's time that compiling it saves at least, where it saves any."""
WORTH_MEASURING = 20
"""How many times as long as its step is prepared a population must train: a second trial is then 5 % of it."""
_PART = 4
"""The second trial is of every so many-th setting."""


def costs_of(
    members: Sequence[Member], problem: Prepared, seed: int, trial: cohorts.Trial, compiled: bool
) -> cohorts.Costs | None:
    """The costs of a population of members that have been tried, from a second trial with a quarter of the settings;
    None where there is no quarter.
    """
    seeds = len({member.seed for member in members})
    fewer = strided(members, seeds, _PART)
    left_out = (len(members) - len(fewer)) // seeds
    if left_out < _PART - 1:
        return None
    setting = max(0.0, (trial.seconds - cohorts.tried(fewer, problem, seed).seconds) / left_out)
    if compiled:
        return cohorts.Costs(setting * (1 - SAVED_BY_COMPILING), COMPILING)
    return cohorts.Costs(setting, trial.preparing)


def strided(members: Sequence[Member], seeds: int, stride: int) -> list[Member]:
    """Every so many-th setting with all its seeds."""
    starts = range(0, len(members), stride * seeds)
    return [member for start in starts for member in members[start : start + seeds]]
