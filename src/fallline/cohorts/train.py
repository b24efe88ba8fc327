"""Training a cohort as a population, step by step."""

import time
from collections.abc import Sequence
from itertools import islice

from fallline.cohorts.one import One
from fallline.cohorts.population import Population
from fallline.cohorts.streams import batches_of_seeds
from fallline.executors.kernels import Backend, inductor, uncompiled
from fallline.problems.prepared import Prepared
from fallline.randomness import forked
from fallline.training.cohort import Budget, Tick, Trained
from fallline.training.curve import evaluation_steps
from fallline.training.member import Member


def train_population(
    members: Sequence[Member],
    problem: Prepared,
    budget: Budget,
    seed: int,
    tick: Tick | None = None,
    compiled: bool = False,
) -> list[Trained]:
    """Train members that share problem factors, batch size and order, every setting with every seed, as one program.

    The members come back in the order given. `tick` is called with the number of steps done.
    """
    first = members[0]
    per_epoch = problem.train.steps(first.batch_size or 0)
    total = budget.total_steps(per_epoch)
    backend: Backend = inductor if compiled else uncompiled
    with forked(problem.device):
        population = Population(members, problem, seed, total, budget.losses_every, backend)
        population.evaluate()
        _advance(population, budget, seed, per_epoch, tick)
        population.finish()
    order = {id(member): place for place, member in enumerate(members)}
    return sorted((_trained(one) for one in population.ones), key=lambda trained: order[id(trained.member)])


def _advance(population: Population, budget: Budget, seed: int, per_epoch: int, tick: Tick | None) -> None:
    evaluations = evaluation_steps(population.total, per_epoch, budget.evaluate_every)
    coming = batches_of_seeds(
        population.problem, [one.member for one in population.ones if one.setting == 0], seed, population.place
    )
    for at in evaluations:
        if at <= population.done:
            continue
        if not population.active:
            return
        population.until(at)
        began = time.perf_counter()
        for place, batch in islice(coming, at - population.done):
            population.step(batch, place)
        population.take(time.perf_counter() - began)
        population.evaluate(judged=at % per_epoch == 0 or at == population.total)
        if tick is not None:
            tick(at)


def _trained(one: One) -> Trained:
    assert one.outcome is not None
    assert one.weights is not None
    return Trained(one.member, one.curve, one.outcome, one.weights, one.seconds)
