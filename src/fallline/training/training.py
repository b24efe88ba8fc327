"""One training in progress: a model, its optimizer, and what it has recorded."""

import inspect
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from fallline.optim import Optimizer
from fallline.problems.objective import rows
from fallline.problems.prepared import Prepared, initial_model
from fallline.randomness import key, seed_global
from fallline.schedules import Constant
from fallline.training import divergence
from fallline.training.batches import Place
from fallline.training.curve import Curve
from fallline.training.evaluate import evaluate
from fallline.training.evaluation_point import lent_for_evaluation, settle_for_evaluation
from fallline.training.gradient import KeyedGradient
from fallline.training.member import Member
from fallline.training.origin import origin
from fallline.training.outcome import Ending, Outcome
from fallline.training.recording import Recording
from fallline.training.stopping import QUANTITY, EarlyStopping


class Training:
    """Trains one member batch by batch; evaluation is asked for from outside, at the same steps for all members."""

    def __init__(
        self, member: Member, problem: Prepared, seed: int, total: int, losses_every: int | None = None
    ) -> None:
        self.member = member
        self.problem = problem
        self.seed = seed
        self.total = total
        self.losses_every = losses_every
        self.model: nn.Module = initial_model(problem, seed, member.seed, member.factors)
        self.origin = origin(member, self.model, problem, seed)
        self.optimizer = member.make_optimizer(self.model, noise_seed=key(seed, "noise", member.seed) % 2**63)
        self._objective = problem.objective.under(member.factors)
        self._measures = problem.objective.under({})
        self._gradient = KeyedGradient(self.model, self.optimizer, self._objective, problem.device, seed, member.seed)
        self._rates = [group.get("lr", math.nan) for group in self.optimizer.param_groups]
        self._take_step = stepper(self.optimizer)
        patience = member.factors.get("patience")
        per_epoch = problem.train.steps(member.batch_size or 0)
        self.stopping = None if patience is None else EarlyStopping(patience * per_epoch)
        self.recording: Recording | None = None
        if member.diagnostics != "none":
            self.recording = Recording(member.diagnostics, self.model, self.optimizer, self._objective, problem)
        self.curve = Curve()
        self._seen: list[tuple[int, float]] = []
        self.outcome: Outcome | None = None
        self.done = 0
        self.samples = 0
        self.seconds = 0.0
        self.place = Place()
        self.losses: list[Tensor] = []
        """The losses of the batches since the last evaluation."""
        if not self.model.training:
            self.model.train()

    def step(self, batch: Any, place: Place, evaluated: bool = False) -> None:
        """One update on a batch, which ends at a place in the data; nothing waits for the device. What is `evaluated`
        afterwards is recorded too.
        """
        began = time.perf_counter()
        if evaluated and self.recording is not None:
            self.recording.coming()
        self._schedule()
        self.place = place
        self.done += 1
        self.samples += rows(batch)
        loss: Any = self._take_step(self._gradient.closure(batch, self.done))
        self.losses.append(loss.detach().reshape(()))
        self.seconds += time.perf_counter() - began

    def _schedule(self) -> None:
        if self.member.schedule == Constant():
            return
        steps, losses = self.curve["step"], self.curve[self.curve.deciding]
        if len(self._seen) != len(steps):
            self._seen = [(int(step), loss) for step, loss in zip(steps, losses, strict=True)]
        multiplier = self.member.schedule(self.done, self.total, self._seen)
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = multiplier * rate

    def evaluate(self, judged: bool = False) -> None:
        """Record losses and metrics of every split, measured at the evaluation point. A training whose numbers are no
        longer finite ends here, and where it is `judged` one whose loss is far above its start.
        """
        batch_losses = torch.stack(self.losses).double().cpu() if self.losses else None
        self._keep(batch_losses)
        row: dict[str, float] = {"step": self.done, "samples": self.samples, "evaluations": self.evaluations}
        row["batch_loss"] = math.nan if batch_losses is None else float(batch_losses.mean())
        broken = self._broken(batch_losses)
        with self.evaluating():
            seed_global(self.seed, "evaluation", self.member.seed, self.done, self.problem.device)
            for split, data in self.problem.evaluated.items():
                for name, value in evaluate(self.model, self._measures, data).items():
                    row[f"{split}_{name}"] = value
            if self.recording is not None:
                row |= self.recording.row()
            self.curve.append(row)
            start = self.curve["train_loss"][0]
            self.outcome = broken or divergence.of_training_loss(row["train_loss"], start, self.done, judged)
            if self.stopping is not None and self.outcome is None:
                cause = self.stopping.watch(self.done, row[QUANTITY], self.model)
                self.outcome = None if cause is None else Outcome(Ending.STOPPED, self.done, cause)
        self.losses = []

    @property
    def evaluations(self) -> int:
        """How many gradients of batches were evaluated so far."""
        return self._gradient.evaluations

    @evaluations.setter
    def evaluations(self, count: int) -> None:
        self._gradient.evaluations = count

    def evaluating(self) -> AbstractContextManager[None]:
        """Lend the model's weights at the evaluation point, where the rule has one."""
        return lent_for_evaluation(self.model, self.optimizer, self.problem, self.seed, self.member.seed)

    def _keep(self, batch_losses: Tensor | None) -> None:
        if batch_losses is None or self.losses_every is None:
            return
        steps = range(self.done - len(batch_losses) + 1, self.done + 1)
        kept = zip(steps, batch_losses.tolist(), strict=True)
        self.curve.losses.update((step, loss) for step, loss in kept if step % self.losses_every == 0)

    def _broken(self, batch_losses: Tensor | None) -> Outcome | None:
        if batch_losses is not None and (broken := divergence.of_batch_losses(batch_losses, self.done)):
            return broken
        for name, p in self.model.named_parameters():
            if not bool(torch.isfinite(p).all()):
                return divergence.of_parameter(name, self.done)
        return None

    def finish(self) -> None:
        """Note that the budget is used up, and leave the model at the evaluation point: with early stopping at that of
        the best evaluation.
        """
        self.close()
        outcome = self.outcome or Outcome(Ending.FINISHED, self.done)
        if self.stopping is not None and not outcome.diverged:
            outcome = replace(outcome, restored=self.stopping.restore(self.model))
        elif not outcome.diverged:
            settle_for_evaluation(self.model, self.optimizer, self.problem, self.seed, self.member.seed)
        self.outcome = outcome

    def close(self) -> None:
        """Take off what watches the model."""
        if self.recording is not None:
            self.recording.close()

    def weights(self) -> dict[str, Tensor]:
        """The model's parameters and buffers by name, on the CPU."""
        return {
            name: value.detach().cpu().contiguous().clone()
            for name, value in self.model.state_dict().items()
            if isinstance(value, Tensor)
        }


def stepper(optimizer: torch.optim.Optimizer) -> Callable[[Callable[[], Any]], Any]:
    """How an optimizer is stepped: a function of the closure that returns the loss at the step's beginning.

    A rule of ours is given the closure, and so is an optimizer that cannot do without (LBFGS). Others are stepped
    as in an ordinary loop: many declare a closure and do not call it, or forget to return its loss.
    """
    parameter = inspect.signature(optimizer.step).parameters.get("closure")
    must = parameter is not None and parameter.default is inspect.Parameter.empty
    if must or isinstance(optimizer, Optimizer):
        return optimizer.step

    def step(closure: Callable[[], Any]) -> Any:
        loss = closure()
        optimizer.step()
        return loss

    return step
