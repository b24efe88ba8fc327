"""Digits whose loss can hold a penalty, and whose metrics look at the weights."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fallline.optim import is_weight
from fallline.problems import Problem, load, mlp

NEAR = 1e-3
"""Weights smaller than this are near zero."""


def penalised_digits(hidden: int = 32) -> Problem:
    """The built-in digits in float64, with the factors `l1_term` and `l2_term` of the training loss."""
    images, labels = load("digits").train
    return Problem(
        model=lambda: mlp((64, hidden, 10)).double(),
        loss=penalised_loss,
        train=(images.double(), labels),
        validation=0.0,
        metrics={"zeros": zeros, "near_zeros": near_zeros, "weight_norm": weight_norm, "bias_norm": bias_norm},
        factors={"l1_term": 0.0, "l2_term": 0.0},
        name="penalised-digits",
    )


def penalised_loss(model: nn.Module, batch: Any, l1_term: float = 0.0, l2_term: float = 0.0) -> Tensor:
    """Cross-entropy + l1_term |W| + l2_term / 2 |W|^2 over all weights W, the biases left out."""
    images, labels = batch
    weights = all_weights(model)
    return (
        cross_entropy(model(images), labels) + l1_term * weights.abs().sum() + 0.5 * l2_term * (weights * weights).sum()
    )


def all_weights(model: nn.Module) -> Tensor:
    """Every weight of a model, biases left out, as one vector."""
    return torch.cat([p.flatten() for name, p in model.named_parameters() if _is_weight(model, name, p)])


def zeros(model: nn.Module, batch: Any) -> Tensor:
    """The fraction of weights that are exactly 0."""
    return (all_weights(model) == 0).double().mean()


def near_zeros(model: nn.Module, batch: Any) -> Tensor:
    """The fraction of weights that are near 0."""
    return (all_weights(model).abs() < NEAR).double().mean()


def weight_norm(model: nn.Module, batch: Any) -> Tensor:
    """The norm of all weights."""
    return (all_weights(model) ** 2).sum().sqrt()


def bias_norm(model: nn.Module, batch: Any) -> Tensor:
    """The norm of all biases."""
    biases: list[Tensor] = [p for name, p in model.named_parameters() if not _is_weight(model, name, p)]
    return (torch.cat(biases) ** 2).sum().sqrt()


def _is_weight(model: nn.Module, name: str, parameter: nn.Parameter) -> bool:
    return is_weight(name, parameter, model.get_submodule(name.rpartition(".")[0]))
