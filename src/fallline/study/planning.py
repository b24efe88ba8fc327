"""Choosing a plan: a cost model first, then measurements of a few steps where they can pay."""

from collections.abc import Mapping, Sequence
from textwrap import shorten

import torch

from fallline.arguments import whole
from fallline.errors import InputError, shown
from fallline.problems import Prepared
from fallline.study.kin import kin_of
from fallline.study.loop import loop
from fallline.study.one_by_one import Alone, Asked, faster, loop_of, processes_of
from fallline.study.plan import Plan, PlannedPopulation
from fallline.study.population import population
from fallline.study.processes import processes
from fallline.study.together import together
from fallline.study.work import Runner
from fallline.suggestions import unknown
from fallline.training import Budget, Member

RUNNERS: Mapping[str, Runner] = {
    "loop": loop,
    "processes": processes,
    "population": population,
    "compiled": population,
}
"""By name. `compiled` is `population` with every step compiled."""


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
    others: list[Alone] = []
    if runner not in ("loop", "processes"):
        for kin in kin_of(members, problems, seed):
            found, reason, alone = together(kin, asked)
            populations += found
            others += [] if found else [alone]
            reasons.append(reason)
    if runner == "auto" and others:
        runner, why = faster(others, asked)
        reasons += why
    if runner == "processes":
        threads, told = processes_of(asked)
    elif runner == "loop":
        threads, told = loop_of(asked)
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


def device_of(name: str) -> torch.device:
    """The torch device of a name; raises InputError where it is unknown or absent."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except Exception as error:
        reason = shorten(str(error), 200)
        raise InputError(f"Device {shown(name)} cannot be used here: {reason}") from None
    return device
