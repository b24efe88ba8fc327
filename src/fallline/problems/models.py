"""Models that the built-in problems train."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from fallline.errors import InputError


def mlp(sizes: Sequence[int], activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """A fully connected network with an activation between its layers: sizes (inputs, hidden..., outputs).

    >>> [type(layer).__name__ for layer in mlp((2, 3, 1))]
    ['Linear', 'ReLU', 'Linear']
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


def hidden_sizes(hidden: str | int | Sequence[int]) -> tuple[int, ...]:
    """Hidden layer sizes from 200, "200-100" or (200, 100); "0" or "" means none.

    >>> hidden_sizes("200-100")
    (200, 100)
    """
    try:
        parts = str(hidden).split("-") if isinstance(hidden, str | int) else list(hidden)
        sizes = tuple(int(size) for size in parts if str(size) not in ("", "0"))
    except (TypeError, ValueError):
        sizes = (-1,)
    if any(size < 1 for size in sizes):
        raise InputError(f"hidden must be layer sizes such as 200 or 200-100; got {hidden!r}.")
    return sizes
