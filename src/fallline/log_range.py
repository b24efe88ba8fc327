"""A range that is searched on a logarithmic scale."""

import math
from dataclasses import dataclass

from fallline.errors import InputError


@dataclass(frozen=True)
class LogRange:
    """A search space: values spread evenly on a logarithmic scale from low to high, both above 0."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (0 < self.low < self.high < math.inf):
            raise InputError(f"A logarithmic range needs 0 < low < high; got {self.low:g}..{self.high:g}.")

    def grid(self, count: int) -> tuple[float, ...]:
        """`count` values from low to high, both included, each rounded to 6 significant digits."""
        if count < 2:
            raise InputError(f"A logarithmic grid needs at least 2 values; got {count}.")
        ratio = math.log(self.high / self.low) / (count - 1)
        return tuple(rounded(self.low * math.exp(ratio * i)) for i in range(count))

    def at(self, share: float) -> float:
        """The value at a share of the way from low to high, rounded as in a grid.

        >>> LogRange(0.01, 1.0).at(0.5)
        0.1
        """
        return rounded(self.low * math.exp(share * math.log(self.high / self.low)))


def rounded(value: float, digits: int = 6) -> float:
    """A value as a search tries it: with 6 significant digits, or fewer where it is reckoned from such values.

    >>> rounded(0.215443 * 0.464159), rounded(0.215443 * 0.464159, digits=5)
    (0.0999998, 0.1)
    """
    return float(f"{value:.{digits}g}")
