"""A member: one training, described completely."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.rules import Rule

Algorithm = Rule | type[torch.optim.Optimizer]


@dataclass(frozen=True)
class Member:
    """Problem and factors, optimizer and hyperparameters, schedule, batch size, order and seed of one training.

    `seed` is the index of the run: members with the same index share initial weights, batches and dropout.
    `batch_size` is None where a DataLoader decides. `phase` says what the training is for.
    """

    problem: str
    optimizer: str
    algorithm: Algorithm
    hyperparameters: Mapping[str, Any]
    factors: Mapping[str, Any] = field(default_factory=dict)
    schedule: str = "constant"
    batch_size: int | None = 64
    order: Literal["reshuffle", "fixed"] = "reshuffle"
    seed: int = 0
    phase: str = "search"

    def make_optimizer(self, parameters: Iterable[Tensor], noise_seed: int = 0) -> torch.optim.Optimizer:
        """The optimizer of this member on a model's parameters."""
        if isinstance(self.algorithm, Rule):
            return Optimizer(parameters, self.algorithm.replace(self.hyperparameters), seed=noise_seed)
        try:
            return self.algorithm(list(parameters), **self.hyperparameters)
        except Exception as error:
            settings = ", ".join(f"{name}={value!r}" for name, value in self.hyperparameters.items())
            raise InputError(f"{self.optimizer}({settings}) could not be made: {error}") from error
