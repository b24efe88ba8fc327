"""A model in training, moved to where its optimizer's rule wants it evaluated."""

from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import nn

from fallline.optim import Optimizer
from fallline.optim.evaluation import at_evaluation_point, settle
from fallline.problems.objective import rows
from fallline.problems.prepared import Prepared
from fallline.randomness import seed_global


def lent_for_evaluation(
    model: nn.Module, optimizer: torch.optim.Optimizer, problem: Prepared, seed: int, index: int = 0
) -> AbstractContextManager[None]:
    """Lend the model at the evaluation point, BatchNorm's statistics measured there on the training rows that are
    evaluated. Where rule or optimizer have none it is the model as it stands.
    """
    if not isinstance(optimizer, Optimizer):
        return nullcontext()
    return at_evaluation_point(optimizer, model, partial(_pass, model, problem, seed, index))


def settle_for_evaluation(
    model: nn.Module, optimizer: torch.optim.Optimizer, problem: Prepared, seed: int, index: int = 0
) -> None:
    """Leave a model that has been trained at the evaluation point."""
    if isinstance(optimizer, Optimizer):
        settle(optimizer, model, partial(_pass, model, problem, seed, index))


def _pass(model: nn.Module, problem: Prepared, seed: int, index: int) -> None:
    seed_global(seed, "statistics", index, device=problem.device)
    # The statistics of a single row may not exist: BatchNorm refuses it after a fully connected layer.
    for batch in problem.train_part.in_order():
        if rows(batch) > 1:
            problem.objective.loss(model, batch)
