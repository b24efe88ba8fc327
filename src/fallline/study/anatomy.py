"""What the training of a member by itself is made of: operations, bytes, and the seconds that grow with rows."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from fallline.problems import Prepared
from fallline.problems.kept import Kept
from fallline.problems.objective import rows
from fallline.randomness import forked
from fallline.study.operations import Operations
from fallline.training import Member
from fallline.training.batches import Place, batches
from fallline.training.evaluate import evaluate
from fallline.training.stopwatch import seconds_of, seconds_of_evaluation
from fallline.training.training import Training

_LONG = 0.02
"""Seconds of a step from which it is held against a step on fewer rows and not on more."""
_TIMES = 4
"""How many times as many rows the other step has, or as few."""


@dataclass(frozen=True)
class Part:
    """Seconds of a part of a training: those that its rows do not change, and those that grow with them."""

    fixed: float
    growing: float

    @classmethod
    def between(cls, one: tuple[int, float], other: tuple[int, float]) -> "Part":
        """What `one` number of rows takes, from its seconds and those of another number.

        >>> Part.between((10, 3.0), (20, 4.0))
        Part(fixed=2.0, growing=1.0)
        """
        (size, seconds), (other_size, other_seconds) = one, other
        growing = min(seconds, max(0.0, (other_seconds - seconds) / (other_size - size) * size))
        return cls(seconds - growing, growing)


@dataclass(frozen=True)
class Anatomy:
    """The parts of a step and of an evaluation; the seconds of an evaluation of each split's first batch alone; how
    many operations a step has, how many of them are the gradient's, and the bytes of their results; the names of the
    gradient's and of an evaluation's operations, and of those of them that torch has no rule to map over members by.
    """

    step: Part
    evaluation: Part
    evaluating: float
    operations: int
    gradient_operations: int
    bytes: int
    names: frozenset[str]
    unmapped: frozenset[str]

    @property
    def updating(self) -> float:
        """The seconds of the update that rows do not change, by its share of the operations."""
        return self.step.fixed * (1 - min(1.0, self.gradient_operations / self.operations))

    @classmethod
    def of(cls, member: Member, problem: Prepared, seed: int) -> "Anatomy":
        """Take a few steps and look at what they do; the training is then thrown away."""
        # torch loads some of its rules when it first maps.
        torch.vmap(torch.neg)(torch.zeros(1))
        with forked(problem.device):
            part, times = problem.sampled()
            training = Training(member, part, seed, 1000)
            try:
                # Schedules look at evaluations.
                training.evaluate()
                place, batch = next(batches(problem, member, seed, Place()))
                seconds = _seconds_on(training, batch, place)
                step = _step(training, batch, seconds)
                with Operations() as counted:
                    training.step(batch, place)
                objective = problem.objective.under(member.factors)
                with Operations() as gradient:
                    objective.loss(training.model, batch).backward()  # type: ignore[no-untyped-call]
                first = [next(data.in_order()) for data in part.evaluated.values()]
                with Operations() as measured:
                    evaluate(training.model, problem.objective, Kept(first))
                evaluating = [_evaluation(training, batch) for batch in first]
            finally:
                training.close()
        return cls(
            step=step,
            evaluation=Part(
                times * sum(one.fixed for one in evaluating), times * sum(one.growing for one in evaluating)
            ),
            evaluating=sum(one.fixed + one.growing for one in evaluating),
            operations=counted.count,
            gradient_operations=gradient.count,
            bytes=counted.bytes,
            names=frozenset(gradient.names | measured.names),
            unmapped=frozenset(gradient.unmapped | measured.unmapped),
        )


def _step(training: Training, batch: Any, seconds: float) -> Part:
    """The parts of a step; all of it grows with its rows where they cannot be told."""
    member, size, available = training.member, rows(batch), training.problem.train.rows
    if available is None:
        return Part(0.0, seconds)
    asked = min(size * _TIMES, available) if seconds < _LONG else size
    if asked <= size:
        asked = max(2, size // _TIMES)
    if asked == size:
        return Part(0.0, seconds)
    place, other = next(batches(training.problem, replace(member, batch_size=asked), training.seed, Place()))
    try:
        return Part.between((size, seconds), (asked, _seconds_on(training, other, place)))
    except Exception:
        # Models and losses may be made for their own size of batch alone.
        return Part(0.0, seconds)


def _seconds_on(training: Training, batch: Any, place: Place) -> float:
    training.step(batch, place)
    return seconds_of(lambda: training.step(batch, place), training.problem.device)


def _evaluation(training: Training, batch: Any) -> Part:
    """The parts of an evaluation of a batch; all of it grows with its rows where they cannot be told."""
    size, seconds = rows(batch), _seconds_of_measuring(training, batch)
    few = size // _TIMES
    if few == 0:
        return Part(0.0, seconds)
    try:
        return Part.between((size, seconds), (few, _seconds_of_measuring(training, _first_rows(batch, few))))
    except Exception:
        # As for steps.
        return Part(0.0, seconds)


def _seconds_of_measuring(training: Training, batch: Any) -> float:
    problem = training.problem
    measure = partial(evaluate, training.model, problem.objective, Kept([batch]))
    return seconds_of_evaluation(measure, problem.device)


def _first_rows(batch: Any, count: int) -> Any:
    return tree_map(lambda x: x[:count] if isinstance(x, Tensor) and x.dim() else x, batch)
