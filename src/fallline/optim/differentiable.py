"""A step that autograd can go back through: the update as a function of parameters, gradients, states and values."""

from collections.abc import Sequence
from dataclasses import replace

from fallline.errors import InputError
from fallline.executors import Part, Surroundings, apart
from fallline.executors.each import Each
from fallline.executors.reference import looped


def differentiable(parts: Sequence[Part], around: Surroundings) -> None:
    """The step of the reference executor with its graph; hyperparameters that are tensors are part of it.

    Raises InputError for a leaf that requires a gradient, which nothing with a graph may change in place.
    """
    for p in (p for part in parts for p in part.p):
        if p.is_leaf and p.requires_grad:
            raise InputError(
                f"differentiable=True cannot step a leaf that requires a gradient (one of shape {tuple(p.shape)}): "
                "its old value would be lost. Give the optimizer a clone of it."
            )
    # The graph remembers what the formula saw, which must not change in place.
    before = [replace(part, p=[p.clone() for p in part.p]) for part in parts]
    for part, update in zip(parts, looped(before, around, Each), strict=True):
        for p, decrement in zip(part.p, update.decrement, strict=True):
            p.sub_(decrement)
        for state, new, g in zip(part.state, update.state, part.g, strict=True):
            state.update(apart(new, g))
