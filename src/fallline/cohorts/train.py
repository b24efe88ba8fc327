"""Training a cohort as a population, step by step."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

import torch

from fallline.cohorts.allocator import keep_memory
from fallline.cohorts.compaction import Costs
from fallline.cohorts.denormals import flushed
from fallline.cohorts.one import One
from fallline.cohorts.population import Population
from fallline.cohorts.reasons import mapping
from fallline.cohorts.resumption import go_on, snapshot
from fallline.cohorts.streams import batches_of_seeds
from fallline.executors.kernels import Backend, inductor, uncompiled
from fallline.problems.prepared import Prepared
from fallline.randomness import forked
from fallline.training.cohort import Budget, Tick, Trained
from fallline.training.cohort_checkpoint import CohortCheckpoint
from fallline.training.curve import evaluation_steps
from fallline.training.member import Member

_TICK = 50


def _silent(done: int) -> None:
    pass


def _nobody(step: int, left: int) -> None:
    pass


def train_population(
    members: Sequence[Member],
    problem: Prepared,
    budget: Budget,
    seed: int,
    tick: Tick | None = None,
    kept: CohortCheckpoint | None = None,
    compiled: bool = False,
    costs: Costs | None = None,
    compacted: Callable[[int, int], None] = _nobody,
) -> list[Trained]:
    """Train members that share problem factors, batch size and order, every setting with every seed, as one program.

    The members come back in the order given. `tick` is called with the number of updates that each has had, `kept` is
    where the progress is kept and found again. With `compiled` torch's compiler makes one program of a step. Settings
    all of whose seeds have ended are stepped on, or leave where `costs` say that this repays; `compacted` is called
    with each step at which some left, and the number of members that stayed. Raises CannotMap where a model, loss or
    metric cannot be mapped over members.
    """
    first = members[0]
    per_epoch = problem.train.steps(first.batch_size or 0)
    total = budget.total_steps(per_epoch)
    # Its tensors are its own and its batches lie in order: to look at that takes time at every step.
    backend: Backend = partial(inductor, vouched=True) if compiled else uncompiled
    keep_memory()
    with forked(problem.device), flushed():
        with mapping():
            population = Population(members, problem, seed, total, budget.losses_every, backend)
        if kept is not None and (tree := kept.load()) is not None:
            go_on(population, tree)
        else:
            with mapping():
                population.evaluate()
        _advance(population, budget, seed, per_epoch, tick or _silent, kept, costs)
        population.finish()
    for step, left in population.compactions:
        compacted(step, left)
    order = {id(member): place for place, member in enumerate(members)}
    return sorted((_trained(one) for one in population.ones), key=lambda trained: order[id(trained.member)])


@torch.no_grad()
def _advance(
    population: Population,
    budget: Budget,
    seed: int,
    per_epoch: int,
    tick: Tick,
    kept: CohortCheckpoint | None,
    costs: Costs | None,
) -> None:
    evaluations = evaluation_steps(population.total, per_epoch, budget.evaluate_every)
    coming = batches_of_seeds(population.problem, population.first_row, seed, population.place)
    for at in evaluations:
        if at <= population.done:
            continue
        if not population.active:
            return
        population.until(at)
        began = time.perf_counter()
        for place, batch in islice(coming, at - population.done):
            population.step(batch, place)
            if population.done % _TICK == 0:
                tick(population.done)
            if population.done < at:
                began = _keep(population, kept, began)
        _shared_out(population, began)
        with mapping():
            population.evaluate(judged=at % per_epoch == 0 or at == population.total)
        if costs is not None:
            _compact(population, costs)
        tick(at)
        _keep(population, kept, time.perf_counter())


def _compact(population: Population, costs: Costs) -> None:
    """Let the settings that have ended leave, if that repays."""
    settings, seeds = population.shape
    left = population.left
    if costs.repays(settings, len(left), population.total - population.done):
        population.keep(left)
        population.compactions.append((population.done, len(left) * seeds))


def _keep(population: Population, kept: CohortCheckpoint | None, began: float) -> float:
    """Write a checkpoint if one is due; when the seconds that are not yet shared out began."""
    if kept is None or not kept.due():
        return began
    _shared_out(population, began)
    kept.save(snapshot(population))
    return time.perf_counter()


def _shared_out(population: Population, began: float) -> None:
    population.take(time.perf_counter() - began)


def _trained(one: One) -> Trained:
    assert one.outcome is not None
    assert one.weights is not None
    return Trained(one.member, one.curve, one.outcome, one.weights, one.seconds, one.origin)
