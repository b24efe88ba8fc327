"""Where a model and its optimizer stand, to be put back there bit for bit."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from fallline.training.contents import Kept


class StartingPoint:
    """Modules and an optimizer as they stand: parameters, buffers, gradients, modes and other attributes, with the
    tensors, arrays, lists, dicts and sets in them; state and parameter groups. The inside of other objects is not kept.

    `rewind` puts all of it back to train from, `restore` for good: then even the objects are those of before, because
    what a training changes is a copy wherever it can be, or else put back in place.
    """

    def __init__(self, modules: Sequence[nn.Module], optimizer: torch.optim.Optimizer) -> None:
        self._modules = list(dict.fromkeys(part for module in modules for part in module.modules()))
        self._optimizers = list(_with_inner(optimizer))
        self._states = [dict(one.state) for one in self._optimizers]
        self._groups = [(group, dict(group)) for one in self._optimizers for group in one.param_groups]
        held = [p for module in self._modules for p in module.parameters(recurse=False)]
        self._parameters = list(dict.fromkeys([*held, *(p for _, group in self._groups for p in group["params"])]))
        buffers = [b for module in self._modules for b in module.buffers(recurse=False)]
        self._values = [(x, x.detach().clone()) for x in dict.fromkeys([*self._parameters, *buffers])]
        self._gradients = [p.grad for p in self._parameters]
        known = {id(x) for x, _ in self._values}
        self._attributes = [Kept(vars(thing), known) for thing in (*self._modules, *self._optimizers)]

    def rewind(self) -> None:
        """Everything as it was, without gradients, the optimizer's state and groups as copies."""
        self.restore()
        known: dict[int, Any] = {id(p): p for p in self._parameters}
        for one, state in zip(self._optimizers, self._states, strict=True):
            one.state.update(copy.deepcopy(state, dict(known)))
        for group, saved in self._groups:
            group.update(copy.deepcopy({name: x for name, x in saved.items() if name != "params"}, dict(known)))
        for p in self._parameters:
            p.grad = None

    @torch.no_grad()
    def restore(self) -> None:
        """Everything as it was."""
        for attributes in self._attributes:
            attributes.put_back()
        for one, state in zip(self._optimizers, self._states, strict=True):
            one.state.clear()
            one.state.update(state)
        for group, values in self._groups:
            group.clear()
            group.update(values)
        for x, value in self._values:
            x.copy_(value)
        for p, gradient in zip(self._parameters, self._gradients, strict=True):
            p.grad = gradient


def _with_inner(optimizer: torch.optim.Optimizer) -> Iterator[torch.optim.Optimizer]:
    """An optimizer and those that it wraps."""
    yield optimizer
    for value in vars(optimizer).values():
        if isinstance(value, torch.optim.Optimizer) and value is not optimizer:
            yield from _with_inner(value)
