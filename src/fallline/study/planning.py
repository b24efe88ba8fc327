"""Choosing a plan: a cost model first, then measurements of a few steps where they can pay."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from textwrap import shorten

import psutil
import torch
from loky import cpu_count
from torch.utils.flop_counter import FlopCounterMode

from fallline import cohorts
from fallline.arguments import whole
from fallline.errors import InputError, shown
from fallline.problems import Prepared, initial_model
from fallline.problems.objective import rows
from fallline.randomness import forked
from fallline.study.kin import Kin, kin_of
from fallline.study.leaving import COMPILING, SAVED_BY_COMPILING, WORTH_MEASURING, costs_of, strided
from fallline.study.loop import loop
from fallline.study.loop import threads as using
from fallline.study.packing import unpackable
from fallline.study.plan import Plan, PlannedPopulation, chunks
from fallline.study.population import population
from fallline.study.processes import processes
from fallline.study.work import Runner
from fallline.suggestions import unknown
from fallline.training import Budget, Member
from fallline.training.batches import Place, batches
from fallline.training.training import Training

RUNNERS: Mapping[str, Runner] = {
    "loop": loop,
    "processes": processes,
    "population": population,
    "compiled": population,
}
"""By name. `compiled` is `population` with every step compiled."""
ONE_THREAD_BELOW = 20e6
"""Floating-point operations of a step below which one thread is faster than several."""
SHORT = 2.0
"""Seconds of a loop below which nothing else is looked at: what a population costs before its first step."""
_TIMED = 5
_COPIES = 20
"""How many times its weights a member may hold in a step, by a rough guess."""


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


def make_plan(
    members: Sequence[Member],
    problems: Mapping[str, Prepared],
    budget: Budget,
    device: torch.device,
    runner: str = "auto",
    threads: int | None = None,
    seed: int = 0,
) -> Plan:
    """Choose how to train; raises InputError for a runner that does not exist, or cannot train these members."""
    if runner not in ("auto", *RUNNERS):
        raise InputError(unknown(runner, ("auto", *RUNNERS), "runner"))
    if threads is not None:
        whole("threads", threads, 1)
    asked = Asked(members, problems, budget, device, seed, runner, threads)
    populations: list[PlannedPopulation] = []
    reasons: list[str] = []
    if runner not in ("loop", "processes"):
        for kin in kin_of(members, problems, seed):
            found, reason = _of_kin(kin, asked)
            populations += found
            reasons.append(reason)
    others = len(members) - sum(len(found.members) for found in populations)
    if runner == "processes":
        threads, told = _processes(members, problems, device, threads)
    elif others:
        runner = "loop"
        threads, told = _loop(members, problems, threads)
    else:
        runner = "population"
        threads, told = max(found.threads for found in populations), []
    reasons += told
    if any(problem.train.rows is None for problem in problems.values()):
        reasons.append("members that share a seed advance together, so that each epoch of a DataLoader is read once")
    length = {(member.problem, member.batch_size): asked.steps(member) for member in members}
    return Plan(
        runner,
        str(device),
        threads,
        len(members),
        sum(length[member.problem, member.batch_size] for member in members),
        tuple((name, size, total) for (name, size), total in length.items()),
        tuple(dict.fromkeys(reasons)),
        tuple(populations),
    )


def _of_kin(kin: Kin, asked: Asked) -> tuple[list[PlannedPopulation], str]:
    """The populations of kin, none where they are better trained one by one; and why."""
    own = [asked.members[place] for place in kin.places]
    forced = asked.runner != "auto"
    told = f"{len(own)} members on {own[0].problem}"
    seeds = len({member.seed for member in own})
    try:
        if kin.reason is not None:
            raise cohorts.CannotMap(kin.reason)
        if not forced and len(own) < 3:
            return [], f"loop: {told} are too few for a population"
        steps = asked.steps(own[0])
        alone = _seconds_alone(own, asked) * steps
        if not forced and alone < SHORT:
            return [], f"loop: {told} take about {alone:.2g} s one after another"
        threads = asked.threads or _threads_of_population(own, asked)
        some = _fitting(own, seeds, asked)
        with using(threads):
            trial = cohorts.tried(some, asked.problems[own[0].problem], asked.seed)
    except cohorts.CannotMap as error:
        if forced:
            raise InputError(
                f"The runner {asked.runner} cannot train {own[0].optimizer} on {own[0].problem}: {error}. "
                "Use the runner auto, loop or processes."
            ) from error
        return [], f"loop: {told} cannot train as a population: {error}"
    together = trial.seconds * steps * len(own) / len(some)
    if not forced and together > 0.9 * alone:
        return [], f"loop: {told} take about {alone:.2g} s one after another, {together:.2g} s as a population"
    fitting = max(1, int(_free() * len(some) / trial.bytes) // seeds)
    compiled = asked.runner == "compiled" or (not forced and together * SAVED_BY_COMPILING > COMPILING)
    how = "compiled" if compiled else "captured"
    costs = None
    if together > WORTH_MEASURING * trial.preparing:
        with using(threads):
            costs = costs_of(some, asked.problems[own[0].problem], asked.seed, trial, compiled)
    return [PlannedPopulation(part, threads, compiled, costs) for part in chunks(kin.places, seeds, fitting)], (
        f"population: {told} train as one {how} program, about {together:.2g} s against {alone:.2g} s one after another"
    )


def _fitting(members: Sequence[Member], seeds: int, asked: Asked) -> list[Member]:
    """Members to try as a population: all, or every so many-th setting where all might not fit into memory."""
    problem = asked.problems[members[0].problem]
    model = initial_model(problem, asked.seed, members[0].seed, members[0].factors)
    each = _COPIES * sum(x.nbytes for x in (*model.parameters(), *model.buffers()))
    settings = len(members) // seeds
    stride = -(-settings // max(1, int(_free() / each) // seeds))
    return strided(members, seeds, stride)


def _free() -> float:
    """Bytes that a population may take: half of what is free, and at most 1.5 GB."""
    return min(float(psutil.virtual_memory().available) / 2, 1.5e9)


def _seconds_alone(members: Sequence[Member], asked: Asked) -> float:
    """The seconds that one step of all members takes one after another, from a few steps of each optimizer."""
    problem = asked.problems[members[0].problem]
    first = {member.optimizer: member for member in reversed(members)}
    step = {name: _seconds_of_step(member, problem, asked.seed) for name, member in first.items()}
    return sum(step[member.optimizer] for member in members)


def _seconds_of_step(member: Member, problem: Prepared, seed: int) -> float:
    with forked(problem.device):
        training = Training(member, problem, seed, 1000)
        try:
            place, batch = next(batches(problem, member, seed, Place()))
            training.evaluate()
            times = []
            for _ in range(_TIMED):
                began = time.perf_counter()
                training.step(batch, place)
                times.append(time.perf_counter() - began)
        finally:
            training.close()
    return median(times[1:])


def _loop(members: Sequence[Member], problems: Mapping[str, Prepared], threads: int | None) -> tuple[int, list[str]]:
    reasons = ["loop: members are trained one after another, each by its own optimizer (foreach executor)"]
    if threads is None:
        threads, reason = threads_alone(members, problems)
        reasons.append(reason)
    return threads, reasons


def _processes(
    members: Sequence[Member], problems: Mapping[str, Prepared], device: torch.device, workers: int | None
) -> tuple[int, list[str]]:
    if device.type != "cpu":
        raise InputError(f"The runner processes trains on the cores of the CPU; on {device} use the runner loop.")
    if reason := unpackable(problems, members):
        raise InputError(reason)
    workers = cpu_count() if workers is None else workers
    return workers, [f"processes: members are trained one after another in {workers} processes, one thread each"]


def threads_alone(members: Sequence[Member], problems: Mapping[str, Prepared]) -> tuple[int, str]:
    """The threads with which members are trained one by one, and why."""
    largest = max(
        _step_flops(problems[name], batch_size)
        for name, batch_size in {(member.problem, member.batch_size) for member in members}
    )
    told = f"a step is {largest / 1e6:.3g} million floating-point operations"
    if largest < ONE_THREAD_BELOW:
        return 1, f"1 thread: {told}, too few to share"
    return torch.get_num_threads(), f"{torch.get_num_threads()} threads: {told}"


def _threads_of_population(members: Sequence[Member], asked: Asked) -> int:
    first = members[0]
    flops = _step_flops(asked.problems[first.problem], first.batch_size) * len(members)
    return 1 if flops < ONE_THREAD_BELOW else torch.get_num_threads()


def _step_flops(problem: Prepared, batch_size: int | None) -> float:
    """The floating-point operations of one forward and backward pass, counted on a batch and scaled to size."""
    batch = next(problem.train_part.in_order())
    with forked(problem.device), FlopCounterMode(display=False) as counter:
        problem.objective.loss(initial_model(problem, 0, 0), batch).backward()  # type: ignore[no-untyped-call]
    size = rows(batch)
    return float(counter.get_total_flops()) * (batch_size or size) / size


def device_of(name: str) -> torch.device:
    """The torch device of a name; raises InputError where it is unknown or absent."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except Exception as error:
        reason = shorten(str(error), 200)
        raise InputError(f"Device {shown(name)} cannot be used here: {reason}") from None
    return device
