"""Training a cohort: members that see the same batches, step by step."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from torch import Tensor

from fallline.errors import InputError
from fallline.problems.prepared import Prepared
from fallline.randomness import forked
from fallline.training.batches import batches
from fallline.training.cohort_checkpoint import CohortCheckpoint
from fallline.training.curve import Curve, evaluation_steps
from fallline.training.keeping import Keeping
from fallline.training.member import Member
from fallline.training.origin import Origin
from fallline.training.outcome import Outcome
from fallline.training.training import Training

DEFAULT_EPOCHS = 10


@dataclass(frozen=True)
class Budget:
    """How long every member trains: in epochs, or in steps; how often it is evaluated beside the usual, and of every
    how many-th step the mini-batch loss is kept.
    """

    epochs: int | None = None
    steps: int | None = None
    evaluate_every: int | None = None
    losses_every: int | None = None

    def total_steps(self, steps_per_epoch: int) -> int:
        """The number of updates."""
        return self.steps if self.steps is not None else (self.epochs or 1) * steps_per_epoch


@dataclass(frozen=True)
class Trained:
    """A member that has ended: its curve, outcome, final weights, the seconds that its updates took (its share of
    reading the batches included, evaluations not), and what it began with.
    """

    member: Member
    curve: Curve
    outcome: Outcome
    weights: dict[str, Tensor]
    seconds: float
    origin: Origin


Tick = Callable[[int], None]
After = Callable[[int, bool], None]


def train_cohort(
    members: Sequence[Member],
    problem: Prepared,
    budget: Budget,
    seed: int,
    tick: Tick | None = None,
    kept: CohortCheckpoint | None = None,
) -> list[Trained]:
    """Train members that share batch size, order and seed on the same batches, one update each per batch.

    `tick` is called now and then with the number of updates that each member has had. A member that diverges or is
    stopped early leaves; the others are not affected. What is `kept` goes on where it was left, equal to the bit.
    """
    first = members[0]
    if any((m.batch_size, m.order, m.seed) != (first.batch_size, first.order, first.seed) for m in members):
        raise InputError("The members of a cohort must share batch size, order and seed.")
    total = budget.total_steps(problem.train.steps(first.batch_size or 0))

    def after(done: int, evaluated: bool) -> None:
        if tick is not None and (evaluated or done % 50 == 0):
            tick(done)
        keeping.look(trainings)

    def make() -> list[Training]:
        return [Training(member, problem, seed, total, budget.losses_every) for member in members]

    with forked(problem.device):
        keeping = Keeping(kept, make)
        trainings = keeping.begin()
        try:
            for training in trainings:
                if not training.curve.columns:
                    training.evaluate()
            advance(trainings, budget, after)
        finally:
            for training in trainings:
                training.close()
    for training in trainings:
        training.finish()
    return [_trained(training) for training in trainings]


def advance(trainings: Sequence[Training], budget: Budget, after: After) -> None:
    """Take trainings that share their batches from where they are to the end of the budget, inside `forked()`.

    `after` is called behind every step with its number and whether it was evaluated.
    """
    # Those that have ended stand where they ended.
    first = max(trainings, key=lambda training: training.done)
    steps_per_epoch = first.problem.train.steps(first.member.batch_size or 0)
    evaluations = set(evaluation_steps(first.total, steps_per_epoch, budget.evaluate_every))
    reading = time.perf_counter()
    coming = batches(first.problem, first.member, first.seed, first.place)
    for done, (place, batch) in enumerate(islice(coming, first.total - first.done), start=first.done + 1):
        active = [training for training in trainings if training.outcome is None]
        if not active:
            break
        share = (time.perf_counter() - reading) / len(active)
        for training in active:
            training.seconds += share
            training.step(batch, place, done in evaluations)
        if done in evaluations:
            for training in active:
                training.evaluate(judged=done % steps_per_epoch == 0 or done == first.total)
        after(done, done in evaluations)
        reading = time.perf_counter()


def _trained(training: Training) -> Trained:
    assert training.outcome is not None
    return Trained(
        training.member, training.curve, training.outcome, training.weights(), training.seconds, training.origin
    )
