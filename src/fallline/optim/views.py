"""What a formula sees of a parameter: all of it, complex numbers as pairs of reals, or a sparse gradient's rows."""

from typing import Any

import torch
from torch import Tensor

from fallline.errors import InputError, shown
from fallline.executors import apart, initial_state
from fallline.rules import Rule, State


class Whole:
    """A parameter, its gradient and its state as they are."""

    def seen(self, x: Tensor) -> Tensor:
        """The parameter or an entry of its state as the formula sees it."""
        return x

    def gradient(self, g: Tensor) -> Tensor:
        """The gradient as the formula sees it."""
        return g

    def kept(self, old: Tensor, new: Tensor) -> Tensor:
        """The entry of state to keep in place of an old one, from what the formula made of it."""
        return new

    def write(self, p: Tensor, stepped: Tensor) -> None:
        """Bring a parameter to what became of its view; a view that shares p's memory has done so already."""


class RealPairs(Whole):
    """A complex parameter as real numbers, real and imaginary parts along a last axis of 2, as in torch."""

    def seen(self, x: Tensor) -> Tensor:
        return torch.view_as_real(x.resolve_conj()) if x.is_complex() else x

    def gradient(self, g: Tensor) -> Tensor:
        return self.seen(g)

    def kept(self, old: Tensor, new: Tensor) -> Tensor:
        return torch.view_as_complex(new) if old.is_complex() else new


class Rows(Whole):
    """The rows that a coalesced sparse gradient names, of the parameter and of every entry of its shape."""

    def __init__(self, gradient: Tensor) -> None:
        self._index = tuple(gradient.indices())
        self._shape = gradient.shape

    def seen(self, x: Tensor) -> Tensor:
        return x[self._index] if x.shape == self._shape else x

    def gradient(self, g: Tensor) -> Tensor:
        return g.values()

    def kept(self, old: Tensor, new: Tensor) -> Tensor:
        return old.index_put_(self._index, new) if old.shape == self._shape else new

    def write(self, p: Tensor, stepped: Tensor) -> None:
        p.index_put_(self._index, stepped)


WHOLE = Whole()
REAL_PAIRS = RealPairs()


def first_state(rule: Rule, p: Tensor) -> State:
    """A parameter's state before its first update, in memory of its own; that of a complex one is complex."""
    if not p.is_complex():
        return apart(_checked(rule, initial_state(rule, p)), p)
    pairs = torch.view_as_real(p.detach())
    state = apart(_checked(rule, initial_state(rule, pairs)), pairs)
    return {name: torch.view_as_complex(x) if x.shape == pairs.shape else x for name, x in state.items()}


def _checked(rule: Rule, state: Any) -> State:
    """What an `init` gave, which must be tensors by name."""
    init = f"{type(rule.core()).__name__}.init"
    if not isinstance(state, dict):
        raise InputError(f"{init} must return a dict of tensors, empty for a rule without state; got {shown(state)}.")
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise InputError(
                f"{init} must return tensors; its {name!r} is {shown(value)}. Write zeros_like(p), or number(p, 0.0) "
                "of fallline.rules.maths for a single number; a count of updates is handed to every step as now.t."
            )
    return state
