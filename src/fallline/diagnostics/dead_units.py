"""Units that give nothing: rectifiers whose output is 0 for every row."""

from torch import Tensor


def dead_units(output: Tensor, axis: int = 1) -> Tensor:
    """Which units of a rectifier's output are 0 for every row: a bool tensor with one entry per unit.

    Units lie along `axis`; of a convolution's output (rows, channels, height, width) a unit is a channel, and dead
    only if it is 0 at every place of every row. A dead unit passes no gradient back, so nothing can revive it while
    its inputs stay as they are. NaN is not 0.

    >>> import torch
    >>> dead_units(torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]]))
    tensor([ True, False, False])
    """
    return in_every_row(output == 0, axis)


def in_every_row(mask: Tensor, axis: int) -> Tensor:
    """Which units have a property at every row and place, given where they have it."""
    return mask.movedim(axis, 0).flatten(1).all(dim=1)
