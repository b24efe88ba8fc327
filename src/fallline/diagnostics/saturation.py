"""Outputs at the flat ends of a sigmoid or tanh."""

from torch import Tensor

NEAR = 0.01
"""How near to an end is saturated, as a part of the whole range: there the slope of a sigmoid or tanh is at most
4 % of its largest, 4 * 0.99 * 0.01."""


def saturated(output: Tensor, low: float, high: float) -> Tensor:
    """Which outputs of an activation with range low..high lie within 1 % of the range from an end, as a bool tensor.

    For a sigmoid (0..1) those below 0.01 or above 0.99, for tanh (-1..1) those beyond 0.98 on either side. A unit is
    saturated if its outputs are so for every row, at whichever end.

    >>> import torch
    >>> saturated(torch.tensor([0.005, 0.5, 0.995]), 0, 1)
    tensor([ True, False,  True])
    """
    margin = NEAR * (high - low)
    return (output < low + margin) | (output > high - margin)
