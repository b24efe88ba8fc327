"""Whether members train together as a population: a cost model first, and a trial where that is a small part of all."""

from collections.abc import Sequence
from dataclasses import replace

import psutil
import torch

from fallline import cohorts
from fallline.errors import InputError
from fallline.phrases import counted, seconds_told
from fallline.problems import initial_model
from fallline.study.kin import Kin, named
from fallline.study.leaving import COMPILING, SAVED_BY_COMPILING, WORTH_MEASURING, costs_of, strided
from fallline.study.loop import threads as using
from fallline.study.one_by_one import FEW, ONE_THREAD_BELOW, Alone, Asked, step_flops
from fallline.study.outlook import Outlook
from fallline.study.plan import PlannedPopulation, chunks
from fallline.training import Member

SHORT = 2.0
"""Seconds of a loop below which nothing else is looked at: what a population costs before its first step."""
WORTH_TRYING = 0.05
"""The part of what members take one by one that trying them as a population may take."""
_UNTRIED = 0.6
"""The part of it that an untried population must be expected to take at most."""
_BETWEEN = 24
"""Bytes that a member has of every step until the next evaluation: its loss, again in double precision when they are
looked at, and a multiplier of its learning rate."""
_COPIES = 20
"""How many times its weights a member may hold in a step, by a rough guess."""


def together(kin: Kin, asked: Asked) -> tuple[list[PlannedPopulation], str, Alone]:
    """The populations of kin, none where they are better trained one by one; why; and what the latter would take."""
    own = [asked.members[place] for place in kin.places]
    whose = f"{counted(len(own), 'member')} on {named(own, asked.members)}"
    alone = Alone.of(own, asked)
    try:
        if kin.reason is not None:
            raise cohorts.CannotMap(kin.reason)
        if asked.runner != "auto":
            populations, why = _tried(kin, own, alone, asked)
        elif len(own) < FEW:
            populations, why = [], "make too small a population"
        elif alone.least < SHORT:
            populations, why = [], f"take about {seconds_told(alone.least)}"
        else:
            populations, why = _weighed(kin, own, alone, asked)
    except cohorts.CannotMap as error:
        if asked.runner != "auto":
            raise InputError(
                f"The runner {asked.runner} cannot train {own[0].optimizer} on {own[0].problem}: {error}. "
                "Use the runner auto, loop or processes."
            ) from error
        populations, why = [], f"cannot train as a population: {error}"
    return populations, f"{'population' if populations else 'one by one'}: {whose} {why}", alone


def _weighed(kin: Kin, own: Sequence[Member], alone: Alone, asked: Asked) -> tuple[list[PlannedPopulation], str]:
    """By a trial if that is a small part of what they take, else by the outlook, which knows CPUs alone."""
    # One member's work is too little to share, and of one thread its own time can be told on a busy machine.
    with using(1), cohorts.mapping():
        outlook = Outlook.of(own, asked.problems[own[0].problem], asked.seed)
    if asked.device.type != "cpu" or outlook.trying <= WORTH_TRYING * alone.least:
        return _tried(kin, own, alone, asked)
    single, trying = seconds_told(alone.least), seconds_told(outlook.trying)
    if outlook.unforeseen:
        unknown = f"what a population takes is unknown, as torch has no rule to map {min(outlook.unforeseen)} by"
        return [], f"take about {single}; {unknown}, and to try one would take too long, {trying}"
    seconds = _seconds(outlook.preparing, outlook.step, outlook.evaluating, own[0], asked)
    reckoned = f"about {seconds_told(seconds)}, as reckoned"
    if seconds > _UNTRIED * alone.least:
        near = f"a population would take {reckoned}, which is too near to go untried, and to try it would take {trying}"
        return [], f"take about {single}; {near}"
    whole = PlannedPopulation(kin.places, _threads(own, asked), compiled=False)
    return _cut(whole, outlook.bytes, asked), f"train as one captured program, {reckoned}, against {single} one by one"


def _tried(kin: Kin, own: Sequence[Member], alone: Alone, asked: Asked) -> tuple[list[PlannedPopulation], str]:
    forced = asked.runner != "auto"
    problem = asked.problems[own[0].problem]
    threads = _threads(own, asked)
    some = _fitting(own, asked)
    with using(threads):
        trial = cohorts.tried(some, problem, asked.seed)
    share = len(own) / len(some)
    seconds = _seconds(trial.preparing, trial.seconds * share, trial.evaluating * share, own[0], asked)
    stepping = trial.seconds * share * asked.steps(own[0])
    if not forced and seconds > 0.9 * alone.least:
        return [], f"take about {seconds_told(alone.least)}, {seconds_told(seconds)} as a population"
    compiled = asked.runner == "compiled" or (not forced and stepping * SAVED_BY_COMPILING > COMPILING)
    costs = None
    if stepping > WORTH_MEASURING * trial.preparing:
        with using(threads):
            costs = costs_of(some, problem, asked.seed, trial, compiled)
    whole = PlannedPopulation(kin.places, threads, compiled, costs)
    how = "compiled" if compiled else "captured"
    told = f"about {seconds_told(seconds)} against {seconds_told(alone.least)} one by one"
    return _cut(whole, trial.bytes * share, asked), f"train as one {how} program, {told}"


def _seconds(preparing: float, step: float, evaluating: float, member: Member, asked: Asked) -> float:
    return preparing + step * asked.steps(member) + evaluating * asked.evaluations(member)


def _cut(whole: PlannedPopulation, needed: float, asked: Asked) -> list[PlannedPopulation]:
    """A population whose steps and tensors need so many bytes, cut into as many as memory wants."""
    first = asked.members[whole.members[0]]
    seeds = _seeds([asked.members[place] for place in whole.members])
    between = asked.steps(first) / (asked.evaluations(first) - 1 or 1)
    needed += between * len(whole.members) * _BETWEEN
    fitting = max(1, int(_free(asked.device) * len(whole.members) / needed) // seeds)
    return [replace(whole, members=part) for part in chunks(whole.members, seeds, fitting)]


def _fitting(members: Sequence[Member], asked: Asked) -> list[Member]:
    """Members to try as a population: all, or every so many-th setting where all might not fit into memory."""
    problem = asked.problems[members[0].problem]
    model = initial_model(problem, asked.seed, members[0].seed, members[0].factors)
    each = _COPIES * sum(x.nbytes for x in (*model.parameters(), *model.buffers()))
    seeds = _seeds(members)
    stride = -(-(len(members) // seeds) // max(1, int(_free(asked.device) / each) // seeds))
    return strided(members, seeds, stride)


def _seeds(members: Sequence[Member]) -> int:
    return len({member.seed for member in members})


def _free(device: torch.device) -> float:
    """Bytes that a population may take: half of what is free on its device, and at most 1.5 GB beside a CPU."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] / 2
    return min(float(psutil.virtual_memory().available) / 2, 1.5e9)


def _threads(members: Sequence[Member], asked: Asked) -> int:
    if asked.threads is not None:
        return asked.threads
    first = members[0]
    flops = step_flops(asked.problems[first.problem], first.batch_size) * len(members)
    return 1 if flops < ONE_THREAD_BELOW else torch.get_num_threads()
