"""Choosing a plan: a cost model first, then measurements of a few steps where they can pay."""

from collections.abc import Mapping, Sequence
from textwrap import shorten

import psutil
import torch

from fallline import cohorts
from fallline.arguments import whole
from fallline.errors import InputError, shown
from fallline.problems import Prepared, initial_model
from fallline.study.kin import Kin, kin_of
from fallline.study.leaving import COMPILING, SAVED_BY_COMPILING, WORTH_MEASURING, costs_of, strided
from fallline.study.loop import loop
from fallline.study.loop import threads as using
from fallline.study.one_by_one import FEW, ONE_THREAD_BELOW, Alone, Asked, faster, loop_of, processes_of, step_flops
from fallline.study.plan import Plan, PlannedPopulation, chunks
from fallline.study.population import population
from fallline.study.processes import processes
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
SHORT = 2.0
"""Seconds of a loop below which nothing else is looked at: what a population costs before its first step."""
_COPIES = 20
"""How many times its weights a member may hold in a step, by a rough guess."""


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
            found, reason, alone = _of_kin(kin, asked)
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


def _of_kin(kin: Kin, asked: Asked) -> tuple[list[PlannedPopulation], str, Alone]:
    """The populations of kin, none where they are better trained one by one; why; and what the latter would take."""
    own = [asked.members[place] for place in kin.places]
    forced = asked.runner != "auto"
    told = f"{len(own)} members on {own[0].problem}"
    seeds = len({member.seed for member in own})
    steps = asked.steps(own[0])
    one_by_one = Alone.of(own, asked)
    alone = one_by_one.least
    try:
        if kin.reason is not None:
            raise cohorts.CannotMap(kin.reason)
        if not forced and len(own) < FEW:
            return [], f"one by one: {told} are too few for a population", one_by_one
        if not forced and alone < SHORT:
            return [], f"one by one: {told} take about {alone:.2g} s", one_by_one
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
        return [], f"one by one: {told} cannot train as a population: {error}", one_by_one
    stepping = trial.seconds * steps * len(own) / len(some)
    together = stepping + trial.evaluating * asked.evaluations(own[0]) * len(own) / len(some)
    if not forced and together > 0.9 * alone:
        return [], f"one by one: {told} take about {alone:.2g} s, {together:.2g} s as a population", one_by_one
    fitting = max(1, int(_free() * len(some) / trial.bytes) // seeds)
    compiled = asked.runner == "compiled" or (not forced and stepping * SAVED_BY_COMPILING > COMPILING)
    how = "compiled" if compiled else "captured"
    costs = None
    if stepping > WORTH_MEASURING * trial.preparing:
        with using(threads):
            costs = costs_of(some, asked.problems[own[0].problem], asked.seed, trial, compiled)
    populations = [PlannedPopulation(part, threads, compiled, costs) for part in chunks(kin.places, seeds, fitting)]
    reason = f"population: {told} train as one {how} program, about {together:.2g} s against {alone:.2g} s one by one"
    return populations, reason, one_by_one


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


def _threads_of_population(members: Sequence[Member], asked: Asked) -> int:
    first = members[0]
    flops = step_flops(asked.problems[first.problem], first.batch_size) * len(members)
    return 1 if flops < ONE_THREAD_BELOW else torch.get_num_threads()


def device_of(name: str) -> torch.device:
    """The torch device of a name; raises InputError where it is unknown or absent."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except Exception as error:
        reason = shorten(str(error), 200)
        raise InputError(f"Device {shown(name)} cannot be used here: {reason}") from None
    return device
