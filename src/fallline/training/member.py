"""A member: one training, described completely."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn

from fallline.errors import InputError
from fallline.optim import Optimizer, is_weight, weights_only
from fallline.optim.weights import Which
from fallline.rules import Rule
from fallline.schedules import Constant, Schedule
from fallline.training.recording import Depth
from fallline.training.treatments import penalties, treated

Algorithm = Rule | type[torch.optim.Optimizer]


@dataclass(frozen=True)
class Member:
    """Problem and factors, optimizer and hyperparameters, schedule, batch size, order and seed of one training.

    `factors` are the problem's own and treatments (`fallline.training.treatments`), whose penalties act on the
    parameters that `penalised` accepts. `seed` is the index of the run: members with the same index share initial
    weights, batches and dropout. `batch_size` is None where a DataLoader decides. `phase` says what a training is for,
    `diagnostics` what is recorded beside losses and metrics.
    """

    problem: str
    optimizer: str
    algorithm: Algorithm
    hyperparameters: Mapping[str, Any]
    factors: Mapping[str, Any] = field(default_factory=dict)
    schedule: Schedule = field(default_factory=Constant)
    batch_size: int | None = 64
    order: Literal["reshuffle", "fixed"] = "reshuffle"
    seed: int = 0
    phase: str = "search"
    penalised: Which = is_weight
    diagnostics: Depth = "none"

    def make_optimizer(self, model: nn.Module, noise_seed: int = 0) -> torch.optim.Optimizer:
        """The optimizer of this member on a model's parameters."""
        if isinstance(self.algorithm, Rule):
            rule = treated(self.algorithm.replace(self.hyperparameters), self.factors)
            groups = weights_only(model, penalties(self.factors), self.penalised)
            return Optimizer(groups, rule, seed=noise_seed)
        try:
            return self.algorithm([p for p in model.parameters() if p.requires_grad], **self.hyperparameters)
        except Exception as error:
            settings = ", ".join(f"{name}={value!r}" for name, value in self.hyperparameters.items())
            raise InputError(f"{self.optimizer}({settings}) could not be made: {error}") from error
