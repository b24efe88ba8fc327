"""The gradient noise scale: how large a batch is worth its cost."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from fallline.diagnostics.batch_loss import Loss, batch_loss, trainable
from fallline.diagnostics.norm import norm
from fallline.diagnostics.undisturbed import undisturbed
from fallline.errors import InputError


@dataclass(frozen=True)
class NoiseScale:
    """Estimates from one batch, both unbiased: the gradient's variance over single rows, summed over all weights
    (`variance`, tr S in the paper), and the squared norm of the true gradient (`signal`, |G|^2).

    Both are noisy; average each over several batches before dividing where `value` jumps.
    """

    variance: float
    signal: float

    @property
    def value(self) -> float:
        """The simple noise scale tr S / |G|^2, in rows; infinite where the batch cannot tell the gradient from 0."""
        return self.variance / self.signal if self.signal > 0 else math.inf


def noise_scale(model: nn.Module, loss: Loss, batch: Any, parts: int = 8) -> NoiseScale:
    """The simple gradient noise scale (McCandlish et al., 2018, arXiv:1812.06162, appendix A.1).

    Batches well below it give updates that are mostly noise and can be enlarged at almost no loss of progress per
    row; batches well above it waste rows. `loss(model, batch)` returns the mean over the batch, a 0-d tensor. The
    batch (tensors, in tuples, lists or dicts, whose first axis is the row) is cut into `parts` equal small batches,
    leaving out the rows that remain; the squared gradient norms of these and of their union are the two batch sizes
    of the paper's estimator. As many parts as rows gives the variance over single rows itself.

    The model's mode, gradients and buffers and the random state are as before afterwards. Raises InputError for
    fewer than 2 parts or fewer rows than parts, and for a loss that is no 0-d tensor.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> def loss(model, batch):
    ...     return (model(torch.ones_like(batch)) * batch).mean()
    >>> estimate = noise_scale(model, loss, torch.tensor([[1.0], [3.0]]), parts=2)  # gradients 1 and 3
    >>> estimate.variance, estimate.signal
    (2.0, 3.0)
    """
    rows = _rows(batch)
    if parts < 2 or rows < parts:
        raise InputError(
            f"noise_scale cuts a batch into 2 parts or more, of a row at least; got {rows} rows, {parts=}."
        )
    parameters = trainable(model)
    small = rows // parts
    squares = []
    total = [torch.zeros_like(p) for p in parameters]
    with undisturbed(model, "noise scale"):
        for part in range(parts):
            value = batch_loss(model, loss, _rows_of(batch, part * small, small))
            gradient = torch.autograd.grad(value, parameters, materialize_grads=True)
            squares.append(float(norm(gradient)) ** 2)
            torch._foreach_add_(total, gradient)
    small_square = sum(squares) / parts
    big_square = float(norm(total)) ** 2 / parts**2
    big = parts * small
    return NoiseScale(
        variance=(small_square - big_square) / (1 / small - 1 / big),
        signal=(big * big_square - small * small_square) / (big - small),
    )


def _rows(batch: Any) -> int:
    sizes = {len(leaf) for leaf in tree_leaves(batch) if isinstance(leaf, Tensor) and leaf.dim()}
    if len(sizes) != 1:
        raise InputError(
            "noise_scale cuts the batch by rows: the first axes of its tensors must be equal; "
            f"got {sorted(sizes) or 'no tensor with rows'}."
        )
    return sizes.pop()


def _rows_of(batch: Any, start: int, count: int) -> Any:
    def cut(leaf: Any) -> Any:
        return leaf[start : start + count] if isinstance(leaf, Tensor) and leaf.dim() else leaf

    return tree_map(cut, batch)
