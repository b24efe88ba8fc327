"""State of a model or an optimizer that no state_dict holds, found by putting a training back and looking at both."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fallline.errors import InputError
from fallline.training.training import Training
from fallline.training.tree import Tree, flatten

_OF_OPTIMIZERS = ("state", "param_groups", "defaults")
"""What the state_dict of an optimizer is made from."""


def hidden_state(training: Training, again: Training) -> list[str]:
    """The public attributes in which a training differs from another that was put where it is, by `go_on`.

    Numbers, text, tensors, and containers of them are looked at: what a forward pass or a step counts or remembers and
    a checkpoint would not bring back.
    """
    found = dict(_attributes(again))
    return [name for name, value in _attributes(training) if not _same(value, found.get(name))]


def _attributes(training: Training) -> Iterator[tuple[str, Tree | None]]:
    owners = {f"the model's {name}." if name else "the model's ": m for name, m in training.model.named_modules()}
    for owner, thing in {**owners, "the optimizer's ": training.optimizer}.items():
        for name, value in vars(thing).items():
            if not name.startswith("_") and not (thing is training.optimizer and name in _OF_OPTIMIZERS):
                yield owner + name, _plain(value)


def _plain(value: Any) -> Tree | None:
    """A value taken apart; None for what is no plain data, and is not looked at."""
    try:
        return flatten(value)
    except (InputError, RecursionError):
        return None


def _same(a: Tree | None, b: Tree | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.structure == b.structure and all(_equal(x, b.tensors[name]) for name, x in a.tensors.items())


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.dtype == b.dtype and torch.equal(a.reshape(-1).view(torch.uint8), b.reshape(-1).view(torch.uint8))
