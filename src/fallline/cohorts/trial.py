"""A population tried out: whether it can be mapped, what a step costs, and what memory it takes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from fallline.cohorts.denormals import flushed
from fallline.cohorts.population import Population
from fallline.cohorts.reasons import mapping
from fallline.cohorts.streams import batches_of_seeds
from fallline.executors.kernels import uncompiled
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
    with mapping(), forked(problem.device), flushed(), torch.no_grad():
        part, times = problem.sampled()
        population = Population(members, part, seed, 1000, None, uncompiled)
        evaluating = times * seconds_of_evaluation(population.evaluate, problem.device)
        coming = batches_of_seeds(problem, population.first_row, seed, Place())
        population.until(1000)
        place, batch = next(coming)
        began = time.perf_counter()
        population.step(batch, place)
        first = time.perf_counter() - began
        population.step(batch, place)
        seconds = seconds_of(lambda: population.step(batch, place), problem.device)
        return Trial(seconds, max(0.0, first - seconds), evaluating, population.bytes())
