"""Training a cohort: members that see the same batches, step by step."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from fallline.errors import InputError
from fallline.problems.prepared import Prepared
from fallline.problems.sources import Stream, permutation
from fallline.randomness import forked
from fallline.training.curve import Curve, evaluation_steps
from fallline.training.member import Member
from fallline.training.outcome import Outcome
from fallline.training.training import Training


@dataclass(frozen=True)
class Budget:
    """How long every member trains: in epochs, or in steps; and how often it is evaluated beside the usual."""

    epochs: int | None = None
    steps: int | None = None
    evaluate_every: int | None = None

    def total_steps(self, steps_per_epoch: int) -> int:
        """The number of updates."""
        return self.steps if self.steps is not None else (self.epochs or 1) * steps_per_epoch


@dataclass(frozen=True)
class Trained:
    """A member that has ended: its curve, outcome, final weights, and the seconds that its updates took (its share
    of reading the batches included, evaluations not).
    """

    member: Member
    curve: Curve
    outcome: Outcome
    weights: dict[str, Tensor]
    seconds: float


Tick = Callable[[int], None]


def train_cohort(
    members: Sequence[Member], problem: Prepared, budget: Budget, seed: int, tick: Tick | None = None
) -> list[Trained]:
    """Train members that share batch size, order and seed on the same batches, one update each per batch.

    `tick` is called with the number of member-steps done since it was last called. A member that diverges or is stopped
    early leaves; the others are not affected.
    """
    first = members[0]
    if any((m.batch_size, m.order, m.seed) != (first.batch_size, first.order, first.seed) for m in members):
        raise InputError("The members of a cohort must share batch size, order and seed.")
    batch_size = first.batch_size or 0
    steps_per_epoch = problem.train.steps(batch_size)
    total = budget.total_steps(steps_per_epoch)
    evaluations = set(evaluation_steps(total, steps_per_epoch, budget.evaluate_every))
    with forked(problem.device):
        trainings = [Training(member, problem, seed, total) for member in members]
        for training in trainings:
            training.evaluate()
        began = time.perf_counter()
        elsewhere = 0.0
        for done, batch in enumerate(_batches(problem, first, seed, total), start=1):
            active = [training for training in trainings if training.outcome is None]
            if not active:
                break
            for training in active:
                training.step(batch)
            if done in evaluations:
                paused = time.perf_counter()
                for training in active:
                    training.evaluate(judged=done % steps_per_epoch == 0 or done == total)
                elsewhere += time.perf_counter() - paused
            if tick is not None and (done in evaluations or done % 50 == 0):
                tick(done)
        elsewhere += sum(training.seconds for training in trainings)
        reading = (time.perf_counter() - began - elsewhere) / len(trainings)
    for training in trainings:
        training.finish()
    return [_trained(training, training.seconds + reading) for training in trainings]


def _batches(problem: Prepared, member: Member, seed: int, total: int) -> Iterator[Any]:
    done = 0
    epoch = 0
    while done < total:
        replayed = 0 if member.order == "fixed" else epoch
        rows = problem.train.rows
        order = None if rows is None else permutation(rows, seed, "order", member.seed, replayed)
        stream = Stream(seed, "epoch", member.seed, replayed)
        before = done
        for batch in problem.train.epoch(member.batch_size or 0, order, stream):
            yield batch
            done += 1
            if done == total:
                return
        if done == before:
            raise InputError(f"{problem.problem.name}: the DataLoader gave no batch in epoch {epoch + 1}.")
        epoch += 1


def _trained(training: Training, seconds: float) -> Trained:
    assert training.outcome is not None
    return Trained(training.member, training.curve, training.outcome, training.weights(), seconds)
