"""Models that the built-in problems train."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from fallline.errors import InputError, shown


def mlp(
    sizes: Sequence[int], activation: type[nn.Module] = nn.ReLU, dropout: float = 0.0, batch_norm: bool = False
) -> nn.Sequential:
    """A fully connected network: sizes (inputs, hidden..., outputs); after every hidden layer BatchNorm if asked for,
    the activation, and dropout at a rate above 0.

    >>> [type(layer).__name__ for layer in mlp((2, 3, 1))]
    ['Linear', 'ReLU', 'Linear']
    >>> [type(layer).__name__ for layer in mlp((2, 3, 1), dropout=0.5, batch_norm=True)]
    ['Linear', 'BatchNorm1d', 'ReLU', 'Dropout', 'Linear']
    """
    if not 0 <= dropout < 1:
        raise InputError(f"dropout must be a rate in [0, 1); got {shown(dropout)}.")
    *hidden, (last, outputs) = pairwise(sizes)
    layers: list[nn.Module] = []
    for inputs, size in hidden:
        layers += [nn.Linear(inputs, size)]
        layers += [nn.BatchNorm1d(size)] if batch_norm else []
        layers += [activation()]
        layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers, nn.Linear(last, outputs))


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
        raise InputError(f"hidden must be layer sizes such as 200 or 200-100; got {shown(hidden)}.")
    return sizes
