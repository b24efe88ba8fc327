"""Numbers, counts and lists as sentences have them."""

import math
from collections.abc import Iterable


def number(value: float, decimals: int | None = None) -> str:
    """A number with so many decimals, or with three significant digits; words for what is not finite.

    >>> number(0.021544), number(0.97, 3), number(float("inf"))
    ('0.0215', '0.970', 'inf')
    """
    if not math.isfinite(value):
        return f"{value:g}"
    return f"{value:#.3g}".rstrip(".") if decimals is None else f"{value:.{decimals}f}"


def counted(count: int, noun: str) -> str:
    """A count and its noun.

    >>> counted(1, "seed"), counted(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(items: Iterable[str]) -> str:
    """Items as a sentence lists them.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last


def seconds_told(seconds: float) -> str:
    """Seconds as roughly as they are reckoned.

    >>> seconds_told(0.123), seconds_told(7.25), seconds_told(8812.0)
    ('0.12 s', '7.2 s', '8,800 s')
    """
    return f"{float(f'{seconds:.2g}'):,.{0 if seconds >= 10 else 1 if seconds >= 1 else 2}f} s"
