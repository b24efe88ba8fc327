"""Plain values: what JSON can hold."""

import json
import math
from collections.abc import Mapping
from typing import Any


def canonical(value: Any) -> str:
    """JSON with sorted keys: equal things give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def finite(value: Any) -> Any:
    """Plain values with None for the numbers that JSON does not have.

    >>> finite({"loss": float("inf"), "steps": (1, 2.0)})
    {'loss': None, 'steps': [1, 2.0]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def unbounded(value: float) -> float | str | None:
    """A number as JSON can hold it without losing which end is open: infinity as a word, and None for no number.

    >>> unbounded(0.5), unbounded(float("-inf")), unbounded(float("nan"))
    (0.5, '-inf', None)
    """
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else f"{value:g}"
