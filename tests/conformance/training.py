"""A small training for holding optimizers together: equal starts, gradients that pull back and are noisy."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from fallline.proof.against import takes_dense
from fallline.proof.findings import relative_difference
from fallline.randomness import numpy_stream

SHAPES: list[tuple[int, ...]] = [(), (5,), (3, 4), (2, 3, 2), (0, 3)]


def parameters(dtype: torch.dtype, shapes: Sequence[tuple[int, ...]] = SHAPES) -> list[Tensor]:
    return [_drawn("start", i, 0, shape, dtype).requires_grad_() for i, shape in enumerate(shapes)]


def set_gradients(params: Sequence[Tensor], step: int) -> None:
    with torch.no_grad():
        for i, p in enumerate(params):
            p.grad = p + _drawn("gradient", i, step, tuple(p.shape), p.dtype)


def train(
    optimizer: Any, params: Sequence[Tensor], steps: range, after: Callable[[int], object] = lambda step: None
) -> None:
    for step in steps:
        set_gradients(params, step)
        if not takes_dense(type(optimizer)):
            for p in params:
                assert p.grad is not None
                p.grad = p.grad.to_sparse()
        optimizer.step()
        after(step)


def furthest(params: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    return max(relative_difference(a.detach(), b.detach()) for a, b in zip(params, right, strict=True))


def furthest_state(state: Mapping[int, Mapping[str, Any]], right: Mapping[int, Mapping[str, Any]]) -> float:
    """The largest relative difference between two packed states, which must have the same names."""
    assert state.keys() == right.keys()
    differences = [0.0]
    for index, entries in right.items():
        assert state[index].keys() == entries.keys()
        differences += [
            relative_difference(torch.as_tensor(state[index][name]), torch.as_tensor(value))
            for name, value in entries.items()
        ]
    return max(differences)


def _drawn(purpose: str, position: int, step: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.as_tensor(numpy_stream(1, purpose, position, step).standard_normal(shape)).to(dtype)
