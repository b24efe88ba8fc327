"""What a function has of the scopes around it."""

from contextlib import suppress
from types import FunctionType
from typing import Any


def closed_over(function: FunctionType) -> dict[str, Any]:
    """The variables of enclosing functions that a function uses, without those that were never given a value.

    >>> def scaled(by):
    ...     return lambda x: by * x
    >>> closed_over(scaled(3))
    {'by': 3}
    """
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        # A name that was never given a value has an empty cell.
        with suppress(ValueError):
            found[name] = cell.cell_contents
    return found
