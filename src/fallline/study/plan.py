"""The plan: how a study's members are trained. It is chosen once, stored with the study and used again by resume."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from textwrap import shorten
from typing import Any

import torch
from loky import cpu_count
from torch.utils.flop_counter import FlopCounterMode

from fallline.arguments import whole
from fallline.errors import InputError, shown
from fallline.problems import Prepared, initial_model
from fallline.problems.objective import rows
from fallline.randomness import forked
from fallline.study.loop import loop
from fallline.study.packing import unpackable
from fallline.study.processes import processes
from fallline.study.work import Runner
from fallline.suggestions import unknown
from fallline.training import Budget, Member

RUNNERS: Mapping[str, Runner] = {"loop": loop, "processes": processes}
ONE_THREAD_BELOW = 20e6
"""Floating-point operations of a step below which one thread is faster than several."""


@dataclass(frozen=True)
class Plan:
    """Runner, device, threads (of the runner processes: how many there are) and size of a study; `lengths` are the
    steps of a training by problem and batch size, `reasons` says in words why.
    """

    runner: str
    device: str
    threads: int
    members: int
    steps: int
    lengths: tuple[tuple[str, int | None, int], ...]
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The plan in plain values."""
        return {**asdict(self), "reasons": list(self.reasons)}


def make_plan(
    members: Sequence[Member],
    problems: Mapping[str, Prepared],
    budget: Budget,
    device: torch.device,
    runner: str = "auto",
    threads: int | None = None,
) -> Plan:
    """Choose how to train; raises InputError for a runner that does not exist, or cannot train these members."""
    if runner not in ("auto", *RUNNERS):
        raise InputError(unknown(runner, ("auto", *RUNNERS), "runner"))
    if threads is not None:
        whole("threads", threads, 1)
    length = {
        (name, size): budget.total_steps(problems[name].train.steps(size or 0))
        for name, size in dict.fromkeys((member.problem, member.batch_size) for member in members)
    }
    steps = sum(length[member.problem, member.batch_size] for member in members)
    lengths = tuple((name, size, total) for (name, size), total in length.items())
    if runner == "processes":
        threads, reasons = _processes(members, problems, device, threads)
    else:
        runner = "loop"
        threads, reasons = _loop(members, problems, threads)
    if any(problem.train.rows is None for problem in problems.values()):
        reasons.append("members that share a seed advance together, so that each epoch of a DataLoader is read once")
    return Plan(runner, str(device), threads, len(members), steps, lengths, tuple(reasons))


def _loop(members: Sequence[Member], problems: Mapping[str, Prepared], threads: int | None) -> tuple[int, list[str]]:
    reasons = ["loop: members are trained one after another, each by its own optimizer (foreach executor)"]
    if threads is None:
        threads, reason = _threads(members, problems)
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


def _threads(members: Sequence[Member], problems: Mapping[str, Prepared]) -> tuple[int, str]:
    largest = max(
        _step_flops(problems[name], batch_size)
        for name, batch_size in {(member.problem, member.batch_size) for member in members}
    )
    told = f"a step is {largest / 1e6:.3g} million floating-point operations"
    if largest < ONE_THREAD_BELOW:
        return 1, f"1 thread: {told}, too few to share"
    return torch.get_num_threads(), f"{torch.get_num_threads()} threads: {told}"


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
