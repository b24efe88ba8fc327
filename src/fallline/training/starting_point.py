"""Where a model and its optimizer stand, to be put back there bit for bit."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn


class StartingPoint:
    """Modules and an optimizer as they stand: parameters, buffers, gradients, modes and other plain attributes;
    state and parameter groups.

    `rewind` puts all of it back to train from, `restore` for good: then even the objects are those of before, because
    what a training changes is a copy wherever it can be. Only parameters and buffers are changed in place.
    """

    def __init__(self, modules: Sequence[nn.Module], optimizer: torch.optim.Optimizer) -> None:
        self._modules = list(dict.fromkeys(part for module in modules for part in module.modules()))
        self._optimizers = list(_with_inner(optimizer))
        self._attributes = [_attributes(thing) for thing in (*self._modules, *self._optimizers)]
        self._states = [dict(one.state) for one in self._optimizers]
        self._groups = [(group, dict(group)) for one in self._optimizers for group in one.param_groups]
        held = [p for module in self._modules for p in module.parameters(recurse=False)]
        self._parameters = list(dict.fromkeys([*held, *(p for _, group in self._groups for p in group["params"])]))
        buffers = [b for module in self._modules for b in module.buffers(recurse=False)]
        self._values = [(x, x.detach().clone()) for x in dict.fromkeys([*self._parameters, *buffers])]
        self._gradients = [p.grad for p in self._parameters]

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
        for thing, saved in zip((*self._modules, *self._optimizers), self._attributes, strict=True):
            _put_back(thing, saved)
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


def _attributes(thing: Any) -> dict[str, tuple[Any, Any]]:
    """Every attribute, and what a plain dict or list among them holds: name -> (value, items)."""
    return {
        name: (value, copy.copy(value) if type(value) in (dict, list) else None) for name, value in vars(thing).items()
    }


def _put_back(thing: Any, saved: dict[str, tuple[Any, Any]]) -> None:
    attributes = vars(thing)
    attributes.clear()
    for name, (value, items) in saved.items():
        attributes[name] = value
        if isinstance(items, dict):
            value.clear()
            value.update(items)
        elif isinstance(items, list):
            value[:] = items
