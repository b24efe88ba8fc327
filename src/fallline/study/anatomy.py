"""What a step of a member by itself is made of: operations, bytes, and the part of its seconds that grows with rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fallline.problems import Prepared
from fallline.problems.kept import Kept
from fallline.problems.objective import rows
from fallline.randomness import forked
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
class Anatomy:
    """Seconds of a step, and those of them that grow with its rows; of an evaluation of each split's first batch; how
    many operations a step has, and the bytes of their results; the operations of the gradient and of an evaluation that
    torch has no rule to map over members by.
    """

    seconds: float
    growing: float
    evaluating: float
    operations: int
    bytes: int
    unmapped: frozenset[str]

    @property
    def fixed(self) -> float:
        """The seconds of a step that its rows do not change."""
        return self.seconds - self.growing

    @classmethod
    def of(cls, member: Member, problem: Prepared, seed: int) -> "Anatomy":
        """Take a few steps and look at what they do; the training is then thrown away."""
        # torch loads some of its rules when it first maps.
        torch.vmap(torch.neg)(torch.zeros(1))
        with forked(problem.device):
            training = Training(member, problem, seed, 1000)
            try:
                place, batch = next(batches(problem, member, seed, Place()))
                seconds = _seconds_on(training, batch, place)
                with _Counting() as step:
                    training.step(batch, place)
                parts = [Kept([next(data.in_order())]) for data in problem.evaluated.values()]

                def measure() -> None:
                    for part in parts:
                        evaluate(training.model, problem.objective, part)

                with _Counting() as mapped:
                    problem.objective.under(member.factors).loss(training.model, batch).backward()  # type: ignore[no-untyped-call]
                    measure()
                growing = _growing(training, batch, seconds)
                evaluating = seconds_of_evaluation(measure, problem.device)
            finally:
                training.close()
        return cls(seconds, growing, evaluating, step.operations, step.bytes, frozenset(mapped.unmapped))


def _growing(training: Training, batch: Any, seconds: float) -> float:
    """The seconds of a step that grow with its rows; all where it cannot be told."""
    member, size, available = training.member, rows(batch), training.problem.train.rows
    if available is None:
        return seconds
    asked = min(size * _TIMES, available) if seconds < _LONG else size
    if asked <= size:
        asked = max(2, size // _TIMES)
    if asked == size:
        return seconds
    place, other = next(batches(training.problem, replace(member, batch_size=asked), training.seed, Place()))
    try:
        taken = _seconds_on(training, other, place)
    except Exception:
        # Models and losses may be made for their own size of batch alone.
        return seconds
    return min(seconds, max(0.0, (taken - seconds) / (asked - size) * size))


def _seconds_on(training: Training, batch: Any, place: Place) -> float:
    training.step(batch, place)
    return seconds_of(lambda: training.step(batch, place), training.problem.device)


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what torch is asked to do."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = 0
        self.bytes = 0
        self.unmapped: set[str] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        results = function(*args, **(kwargs or {}))
        self.operations += 1
        if not function.is_view:
            self.bytes += sum(x.nbytes for x in tree_leaves(results) if isinstance(x, Tensor))
        if any(isinstance(x, Tensor) for x in tree_leaves([args, kwargs])) and not _has_rule(function.name()):
            self.unmapped.add(function.name())
        return results


def _has_rule(name: str) -> bool:
    keys = "FuncTorchBatched", "FuncTorchBatchedDecomposition"
    return any(torch._C._dispatch_has_kernel_for_dispatch_key(name, key) for key in keys)
