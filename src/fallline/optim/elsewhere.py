"""The model's gradient at other weights than those it has, for rules that ask for it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from fallline.errors import InputError
from fallline.optim.batch_norm import statistics_unmoved
from fallline.optim.gathering import Seat


def gradient_elsewhere(
    closure: Callable[[], Any],
    params: Sequence[Tensor],
    seats: Mapping[int, Seat],
    points: Sequence[tuple[int, Tensor]],
) -> list[Tensor]:
    """The gradients of a closure's loss with some parameters moved to `points`, (position, weights) pairs.

    All weights and gradients are put back afterwards, also where the closure fails, and so are BatchNorm's running
    statistics: they are of the weights that are trained, and each batch counts once.
    """
    if torch.is_grad_enabled():
        raise InputError("differentiable=True does not go through a further gradient, which this rule asks for.")
    kept = [(p, p.detach().clone(), p.grad) for p in params]
    try:
        for p in params:
            p.grad = None
        for position, x in points:
            seat = seats[position]
            seat.p.copy_(seat.view.kept(seat.p, x))
        with torch.enable_grad(), statistics_unmoved():
            closure()
        return [_found(seats[position]) for position, _ in points]
    finally:
        for p, value, gradient in kept:
            p.copy_(value)
            p.grad = gradient


def _found(seat: Seat) -> Tensor:
    gradient = seat.p.grad
    return seat.view.gradient(torch.zeros_like(seat.p) if gradient is None else gradient)
