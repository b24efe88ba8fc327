"""What to do about inputs, targets and losses that do not fit each other, found by trying what would."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._pytree import tree_leaves, tree_map

from fallline.problems.objective import describe, first_parameter

_CLASSIFYING = (nn.CrossEntropyLoss, nn.NLLLoss)


def takes_labels(loss: Callable[..., Any]) -> bool:
    """Whether the targets of a loss are class labels."""
    return loss in (functional.cross_entropy, functional.nll_loss) or isinstance(loss, _CLASSIFYING)


def input_hint(model: nn.Module, inputs: tuple[Any, ...]) -> str | None:
    """The type of the inputs with which a model works that failed; None where that is not what is wrong.

    A model that embeds tokens does not work with floats, and so gets no such advice.
    """
    wanted = next((p.dtype for p in model.parameters() if p.is_floating_point()), None)
    other = dict.fromkeys(_dtype(x.dtype) for x in tree_leaves(inputs) if isinstance(x, Tensor) and x.dtype != wanted)
    if wanted is None or not other:
        return None
    converted = tree_map(lambda x: x.to(wanted) if isinstance(x, Tensor) else x, inputs)
    if not _works(lambda: model(*converted)):
        return None
    return (
        f"The inputs are {' and '.join(other)}, the model's parameters {_dtype(wanted)}. "
        f"Convert the inputs: torch.as_tensor(inputs, dtype={wanted})."
    )


def target_hint(loss: Callable[..., Any], output: Any, target: Any) -> str | None:
    """The shape and type of the target with which a loss works that failed; None where that is not what is wrong."""
    if not isinstance(output, Tensor) or not isinstance(target, Tensor) or output.dim() == 0:
        return None
    labels = takes_labels(loss)
    shape = (output.shape[0], *output.shape[2:]) if labels else tuple(output.shape)
    dtype = torch.int64 if labels else output.dtype
    if target.numel() != math.prod(shape):
        return None
    fitting = target.reshape(shape).to(dtype)
    if not torch.equal(fitting.to(target.dtype), target.reshape(shape)) or not _works(lambda: loss(output, fitting)):
        return None
    axes = ":, " * (min(target.dim(), len(shape)) == 1) or "..., "
    ways = {
        f"target[{axes}None]": shape == (*target.shape, 1),
        f"target[{axes}0]": (*shape, 1) == tuple(target.shape),
        f"torch.as_tensor(target, dtype={dtype})": target.dtype != dtype,
    }
    written = " and ".join(way for way, needed in ways.items() if needed)
    return f"Write {written}: the loss works with targets {describe(fitting)}." if written else None


def form_hint(loss: Callable[..., Any]) -> str:
    """Why a loss is called as loss(output, target), and how it would get the model."""
    name = first_parameter(loss)
    own = "" if name is None else f"; that of this one is called '{name}'"
    return f"A loss whose first parameter is called `model` is called as loss(model, batch){own}."


def gradient_hint(call: Callable[[], Any]) -> str | None:
    """What to do about a loss that takes gradients of its own and failed without; None where that is not it."""
    if torch.is_grad_enabled() or not _works(call, gradients=True):
        return None
    return (
        "It works where gradients are taken, and evaluations take none: put what needs them under "
        "`with torch.enable_grad():`."
    )


def _works(call: Callable[[], Any], gradients: bool = False) -> bool:
    try:
        with torch.set_grad_enabled(gradients):
            call()
    except Exception:
        return False
    return True


def _dtype(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
