"""The results that statistics are given: one number for each seed, and what a diverged run counts as."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fallline.errors import WrongArgument, shown

Numbers: TypeAlias = NDArray[np.float64]
"""An array of float64."""


def sample(name: str, values: Any, higher_is_better: bool = False) -> Numbers:
    """The results of runs as numbers of which less is better; those of diverged runs (NaN, infinite) are infinite.

    Raises InputError, which names the argument, for anything but a sequence of at least one number.

    >>> sample("accuracies", [0.75, float("nan")], higher_is_better=True).tolist()
    [-0.75, inf]
    """
    numbers = sequence(name, values)
    return _worst_if_diverged(-numbers if higher_is_better else numbers)


def sequence(name: str, values: Any) -> Numbers:
    """At least one number, as an array of one axis. Raises InputError for anything else."""
    numbers = _numbers(name, values)
    if numbers.ndim != 1 or not len(numbers):
        raise WrongArgument((name, f" must be a sequence of one number or more; got {shown(values)}"))
    return numbers


def paired_differences(values: Any) -> Numbers:
    """Differences as `differences` makes them: numbers or infinite. Raises InputError for NaN and anything else."""
    numbers = sequence("differences", values)
    if np.isnan(numbers).any():
        raise WrongArgument(
            ("differences", f" must be numbers or infinite, in which NaN is neither; got {shown(values)}")
        )
    return numbers


def paired_samples(first: ArrayLike, second: ArrayLike) -> tuple[Numbers, Numbers]:
    """Two samples, the i-th of one belonging to the i-th of the other. Raises InputError where lengths differ."""
    one, other = sample("first", first), sample("second", second)
    if len(one) != len(other):
        raise WrongArgument(("second", f" must have one result for each of first's {len(one)}; got {len(other)}"))
    return one, other


def table(name: str, values: Any, columns: str) -> Numbers:
    """Results in rows and columns, of which less is better; those of diverged runs are infinite."""
    numbers = _numbers(name, values)
    if numbers.ndim != 2 or 0 in numbers.shape:
        raise WrongArgument((name, f" must be a table with {columns} as columns; got {shown(values)}"))
    return _worst_if_diverged(numbers)


def fraction(name: str, value: float) -> None:
    """Raise InputError unless a number is between 0 and 1, both excluded."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise WrongArgument((name, f" must be between 0 and 1, both excluded; got {shown(value)}"))


def _numbers(name: str, values: Sequence[Any]) -> Numbers:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise WrongArgument(
            (name, f" must be numbers, NaN or infinite where a run diverged; got {shown(values)}")
        ) from None


def _worst_if_diverged(numbers: Numbers) -> Numbers:
    return np.where(np.isfinite(numbers), numbers, np.inf)
