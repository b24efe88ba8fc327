"""A population tried out: whether it can be mapped, what a step costs, and what memory it takes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from fallline.cohorts.denormals import flushed
from fallline.cohorts.population import Population
from fallline.cohorts.reasons import CannotMap, told
from fallline.cohorts.streams import batches_of_seeds
from fallline.errors import InputError, MachineError
from fallline.executors.kernels import uncompiled
from fallline.problems.kept import Kept, batches_in
from fallline.problems.prepared import Prepared
from fallline.randomness import forked
from fallline.training.batches import Place
from fallline.training.member import Member
from fallline.training.stopwatch import seconds_of, seconds_of_evaluation


@dataclass(frozen=True)
class Trial:
    """Seconds of a step, uncompiled, of making its program, and of an evaluation of all members; the bytes that a step
    holds beside the data.
    """

    seconds: float
    preparing: float
    evaluating: float
    bytes: int


def tried(members: Sequence[Member], problem: Prepared, seed: int) -> Trial:
    """Take a few steps of members as a population, which is then thrown away. Raises CannotMap with the reason."""
    try:
        with forked(problem.device), flushed(), torch.no_grad():
            population = Population(members, problem, seed, 1000, None, uncompiled)
            evaluating = _evaluating(population, problem)
            coming = batches_of_seeds(problem, population.first_row, seed, Place())
            population.until(1000)
            place, batch = next(coming)
            began = time.perf_counter()
            population.step(batch, place)
            first = time.perf_counter() - began
            population.step(batch, place)
            seconds = seconds_of(lambda: population.step(batch, place), problem.device)
            return Trial(seconds, max(0.0, first - seconds), evaluating, population.bytes())
    except (CannotMap, InputError, MachineError):
        raise
    except Exception as error:
        # Whatever torch meets on the way, the members can still be trained one by one.
        raise CannotMap(told(error)) from error


def _evaluating(population: Population, problem: Prepared) -> float:
    """The seconds of an evaluation, from the first batch of each split."""
    total = 0.0
    for data in problem.evaluated.values():
        first = Kept([next(data.in_order())])
        measure = partial(population.measured, first, population.tensors.weights)
        total += seconds_of_evaluation(measure, problem.device) * batches_in(data)
    return total
