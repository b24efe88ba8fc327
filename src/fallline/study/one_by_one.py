"""Members that train one by one: what that takes, in this process or in several."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from loky import cpu_count
from torch.utils.flop_counter import FlopCounterMode

from fallline.errors import InputError
from fallline.phrases import seconds_told
from fallline.problems import Prepared, initial_model
from fallline.problems.objective import rows
from fallline.randomness import forked
from fallline.study.loop import threads as using
from fallline.study.packing import unpackable
from fallline.training import Budget, Member
from fallline.training.batches import Place, batches
from fallline.training.curve import evaluation_steps
from fallline.training.stopwatch import seconds_of, seconds_of_evaluation
from fallline.training.training import Training

ONE_THREAD_BELOW = 20e6
"""Floating-point operations of a step below which one thread is faster than several."""
STARTING = 6.0
"""Seconds until worker processes train: each imports torch, at the same time."""
FEW = 3
"""Members below which nobody looks for a faster way."""


@dataclass(frozen=True)
class Asked:
    """What a plan is made for."""

    members: Sequence[Member]
    problems: Mapping[str, Prepared]
    budget: Budget
    device: torch.device
    seed: int
    runner: str
    threads: int | None

    def steps(self, member: Member) -> int:
        """How many updates a member is to have."""
        return self.budget.total_steps(self.problems[member.problem].train.steps(member.batch_size or 0))

    def evaluations(self, member: Member) -> int:
        """How many times a member is to be evaluated, that of the start included."""
        per_epoch = self.problems[member.problem].train.steps(member.batch_size or 0)
        return len(evaluation_steps(self.steps(member), per_epoch, self.budget.evaluate_every))

    @property
    def workers(self) -> int:
        """How many processes there would be."""
        return cpu_count() if self.threads is None else self.threads


@dataclass(frozen=True)
class Pace:
    """Seconds of a member's step, and of an evaluation."""

    step: float
    evaluation: float


@dataclass(frozen=True)
class Alone:
    """Seconds that members take one after another in this process; those in which worker processes do it, were all of
    them at work all the time, infinite where they cannot help; and those of the worker that has most of these members.
    """

    loop: float
    shared: float
    longest: float = 0.0

    @property
    def least(self) -> float:
        """Those of the faster way."""
        return min(self.loop, STARTING + max(self.shared, self.longest))

    @classmethod
    def of(cls, members: Sequence[Member], asked: Asked) -> "Alone":
        """What kin take, from a few steps of each optimizer; nothing is measured where there is nothing to choose."""
        if asked.runner == "auto" and len(asked.members) < FEW:
            return cls(0.0, math.inf)
        threads = _threads(members, asked)[0]
        with using(threads):
            loop = _seconds(members, asked)
        if not _shareable(members, asked):
            return cls(loop, math.inf)
        single = loop
        if threads > 1 and loop > STARTING:
            with using(1):
                single = _seconds(members, asked)
        # Processes beyond the cores make nothing faster.
        working = min(asked.workers, cpu_count())
        return cls(loop, single / working, -(-len(members) // working) * single / len(members))


def faster(several: Sequence[Alone], asked: Asked) -> tuple[Literal["loop", "processes"], list[str]]:
    """Who trains members of several kinds that train one by one, and why; they share one start of processes."""
    loop = sum(alone.loop for alone in several)
    processes = STARTING + max(sum(alone.shared for alone in several), *(alone.longest for alone in several))
    if processes > 0.9 * loop or unpackable(asked.problems, asked.members):
        return "loop", []
    told = f"one by one they take about {seconds_told(loop)} in one process, {seconds_told(processes)} in several"
    return "processes", [told]


def loop_of(asked: Asked) -> tuple[int, list[str]]:
    """The threads of the runner loop, and why it has so many."""
    threads, reasons = _threads(asked.members, asked)
    return threads, [
        "loop: members are trained one after another, each by its own optimizer (foreach executor)",
        *reasons,
    ]


def processes_of(asked: Asked) -> tuple[int, list[str]]:
    """How many processes the runner of this name has, and that in words; raises InputError where it cannot train."""
    if asked.device.type != "cpu":
        raise InputError(f"The runner processes trains on the cores of the CPU; on {asked.device} use the runner loop.")
    if reason := unpackable(asked.problems, asked.members):
        raise InputError(reason)
    workers = asked.workers
    return workers, [f"processes: members are trained one after another in {workers} processes, one thread each"]


def step_flops(problem: Prepared, batch_size: int | None) -> float:
    """The floating-point operations of one forward and backward pass, counted on a batch and scaled to size."""
    batch = next(problem.train_part.in_order())
    with forked(problem.device), FlopCounterMode(display=False) as counter:
        problem.objective.loss(initial_model(problem, 0, 0), batch).backward()  # type: ignore[no-untyped-call]
    size = rows(batch)
    return float(counter.get_total_flops()) * (batch_size or size) / size


def _shareable(members: Sequence[Member], asked: Asked) -> bool:
    """Whether processes could be faster: those that share a DataLoader's epochs would each read it again."""
    opaque = any(asked.problems[member.problem].train.rows is None for member in members)
    return asked.runner == "auto" and asked.device.type == "cpu" and not opaque and asked.workers > 1


def _seconds(members: Sequence[Member], asked: Asked) -> float:
    """The seconds that all members take one after another, from a few steps and an evaluation of each optimizer."""
    problem = asked.problems[members[0].problem]
    steps, evaluations = asked.steps(members[0]), asked.evaluations(members[0])
    first = {member.optimizer: member for member in reversed(members)}
    paces = {name: _pace(member, problem, asked.seed) for name, member in first.items()}
    each = {name: pace.step * steps + pace.evaluation * evaluations for name, pace in paces.items()}
    return sum(each[member.optimizer] for member in members)


def _pace(member: Member, problem: Prepared, seed: int) -> Pace:
    with forked(problem.device):
        training = Training(member, problem, seed, 1000)
        try:
            place, batch = next(batches(problem, member, seed, Place()))
            evaluation = seconds_of_evaluation(training.evaluate, problem.device)
            training.step(batch, place)
            return Pace(seconds_of(lambda: training.step(batch, place), problem.device), evaluation)
        finally:
            training.close()


def _threads(members: Sequence[Member], asked: Asked) -> tuple[int, list[str]]:
    """The threads that torch uses for a training by itself, and why."""
    if asked.threads is not None:
        return asked.threads, []
    largest = max(
        step_flops(asked.problems[name], batch_size)
        for name, batch_size in {(member.problem, member.batch_size) for member in members}
    )
    told = f"a step is {largest / 1e6:.3g} million floating-point operations"
    if largest < ONE_THREAD_BELOW:
        return 1, [f"1 thread: {told}, too few to share"]
    return torch.get_num_threads(), [f"{torch.get_num_threads()} threads: {told}"]
