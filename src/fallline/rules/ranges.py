"""What values a hyperparameter may take, and which of them a search should try."""

import math
from dataclasses import dataclass
from typing import Annotated

from fallline.log_range import LogRange as LogRange


@dataclass(frozen=True)
class Range:
    """The legal values of a `float` or `int` field: an interval whose ends may be left out."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return math.isfinite(value) and above and below

    def __str__(self) -> str:
        if self.low == -math.inf and self.high == math.inf:
            return "a finite number"
        if self.high == math.inf:
            return f"a finite number {'above' if self.low_open else 'of at least'} {self.low:g}"
        return f"in {'(' if self.low_open else '['}{self.low:g}, {self.high:g}{')' if self.high_open else ']'}"


Nonnegative = Annotated[float, Range(low=0.0)]
Positive = Annotated[float, Range(low=0.0, low_open=True)]
Fraction = Annotated[float, Range(low=0.0, high=1.0)]
Decay = Annotated[float, Range(low=0.0, high=1.0, high_open=True)]
Finite = Annotated[float, Range()]
Count = Annotated[int, Range(low=1.0)]
