"""Training a model again and again from where it stands, each time with other learning rates, on the same batches."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fallline.errors import InputError
from fallline.optim.groups import ROUTE
from fallline.problems.prepared import Prepared
from fallline.problems.rehearsal import try_batches, try_evaluations
from fallline.randomness import forked, seed_global
from fallline.training.batches import Place, batches
from fallline.training.evaluate import evaluate
from fallline.training.evaluation_point import lent_for_evaluation
from fallline.training.gradient import KeyedGradient
from fallline.training.member import Member
from fallline.training.starting_point import StartingPoint
from fallline.training.training import stepper
from fallline.wrappers.route import MAIN_BRANCH


class RepeatableTraining:
    """A model and its optimizer as they stand, a problem's batches, and rows to compare on.

    The rows are the validation data, or where there are none a fixed part of the training data. Where parameter groups
    have different rates their ratios are kept, and a learning rate is that of the group with the largest.
    """

    def __init__(
        self, member: Member, model: nn.Module, optimizer: torch.optim.Optimizer, problem: Prepared, seed: int
    ) -> None:
        self.member = member
        self.model = model
        self.optimizer = optimizer
        self.problem = problem
        self.seed = seed
        self.compared_on = "validation" if problem.validation is not None else "training"
        loss = problem.problem.loss
        owner = loss if isinstance(loss, nn.Module) else getattr(loss, "__self__", None)
        self._modules = [model, owner] if isinstance(owner, nn.Module) else [model]
        objective = problem.objective.under(member.factors)
        self._gradient = KeyedGradient(model, optimizer, objective, problem.device, seed, member.seed)
        self._ratios = _ratios(optimizer)
        self._begin: StartingPoint | None = None

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Lend model, optimizer and the global generators; all are put back at the end, however it comes."""
        self._begin = StartingPoint(self._modules, self.optimizer)
        with forked(self.problem.device):
            try:
                yield
            finally:
                try:
                    self._begin.restore()
                except KeyboardInterrupt:
                    self._begin.restore()
                    raise

    def rehearse(self) -> None:
        """Try model, loss and data as they stand, inside `lent()`. Raises InputError for what does not fit together."""
        assert self._begin is not None
        self._begin.rewind()
        seed_global(self.seed, "rehearsal", device=self.problem.device)
        try_evaluations(self.problem, self.model)
        self._begin.rewind()
        if not self.model.training:
            self.model.train()
        try_batches(self.problem, self.model, self.member.batch_size)

    def train(self, rates: Iterable[float]) -> Iterator[float]:
        """Train from the beginning, one update at each rate; the loss of each batch before its update.

        Ends after a loss that is not finite, without its update.
        """
        assert self._begin is not None
        self._begin.rewind()
        if not self.model.training:
            self.model.train()
        take_step = stepper(self.optimizer)
        coming = batches(self.problem, self.member, self.seed, Place())
        for number, (rate, (_, batch)) in enumerate(zip(rates, coming, strict=False), start=1):
            for group, ratio in zip(self.optimizer.param_groups, self._ratios, strict=True):
                if ratio is not None:
                    _set_rate(group, ratio * rate)
            loss = take_step(self._gradient.closure(batch, number)).item()
            yield loss
            if not math.isfinite(loss):
                return

    def start(self) -> float:
        """The loss before any update, on the rows to compare on."""
        assert self._begin is not None
        self._begin.rewind()
        return self.measure()

    def measure(self) -> float:
        """The loss on the rows to compare on; NaN where a parameter is not finite."""
        if not all(bool(torch.isfinite(p).all()) for p in self.model.parameters()):
            return math.nan
        data = self.problem.train_part if self.problem.validation is None else self.problem.validation
        with lent_for_evaluation(self.model, self.optimizer, self.problem, self.seed):
            seed_global(self.seed, "evaluation", device=self.problem.device)
            return evaluate(self.model, self.problem.objective, data)["loss"]


def _ratios(optimizer: torch.optim.Optimizer) -> Sequence[float | None]:
    """The learning rate of each parameter group over the largest; InputError for a group without one.

    What a Route gives to another rule keeps its own rate: None.
    """
    groups = optimizer.param_groups
    if any("lr" not in group for group in groups):
        raise InputError(f"{type(optimizer).__name__} has no learning rate `lr` to look for.")
    rates = [float(group["lr"]) if group.get(ROUTE, MAIN_BRANCH) == MAIN_BRANCH else None for group in groups]
    largest = max((rate for rate in rates if rate is not None), default=0.0)
    return [None if rate is None else rate / largest if largest > 0 else 1.0 for rate in rates]


def _set_rate(group: dict[str, Any], rate: float) -> None:
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate
