"""The course of a study: its members stage by stage, as the protocol asks for them."""

import itertools
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fallline.problems import Prepared
from fallline.protocol import Contestant, Training, conduct
from fallline.schedules import Schedule, schedule
from fallline.study.conditions import group_rule
from fallline.study.contenders import Contender
from fallline.study.specification import Specification
from fallline.training import Member
from fallline.training.treatments import TREATMENTS


@dataclass(frozen=True)
class StageOfMembers:
    """Members that can be trained in any order, and what they are for."""

    name: str
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Conditions:
    """What optimizers have in common where they are compared with each other."""

    problem: str
    batch_size: int | None
    factors: Mapping[str, Any]
    schedule: Schedule


def course(
    spec: Specification, problems: Mapping[str, Prepared], contenders: Sequence[Contender]
) -> Generator[StageOfMembers, Sequence[float], None]:
    """One stage after another, each given once the losses of the one before it are sent, in the order of its members.

    The protocol is that of `fallline.protocol.conduct`, under each of the conditions by itself.
    """
    fields = list(_conditions(spec, problems))
    contestants = [_contestant(spec, contender) for contender in contenders]
    penalised = group_rule(spec.penalise)

    def member(training: Training) -> Member:
        under, contender = fields[training.field], contenders[training.contestant]
        return Member(
            problem=under.problem,
            optimizer=contender.label,
            algorithm=contender.algorithm,
            hyperparameters=training.setting,
            factors=under.factors,
            schedule=under.schedule,
            batch_size=under.batch_size,
            order=spec.order,
            seed=training.seed,
            phase=training.phase,
            penalised=penalised,
            diagnostics=spec.diagnostics,
        )

    stages = conduct([contestants for _ in fields], spec.runs, spec.extra_trials)
    stage = next(stages)
    while True:
        losses = yield StageOfMembers(stage.name, tuple(map(member, stage.trainings)))
        try:
            stage = stages.send(losses)
        except StopIteration:
            return


def reruns_ahead(
    first: StageOfMembers, spec: Specification, problems: Mapping[str, Prepared], contenders: Sequence[Contender]
) -> list[tuple[str, int | None]]:
    """The reruns that are known to follow on a first stage, each by its problem and batch size."""
    if first.name == "reruns" or not spec.runs.final:
        return []
    each = len(contenders) * spec.runs.final * spec.runs.repeats
    return [(under.problem, under.batch_size) for under in _conditions(spec, problems) for _ in range(each)]


def _conditions(spec: Specification, problems: Mapping[str, Prepared]) -> Iterator[Conditions]:
    schedules = list(map(schedule, spec.schedules))
    for (name, prepared), batch_size in itertools.product(problems.items(), spec.batch_sizes):
        known = {*prepared.problem.all_factors(), *TREATMENTS}
        own = {key: values for key, values in spec.factors.items() if key in known}
        for combination in itertools.product(*own.values()):
            chosen = {**prepared.problem.factors, **dict(zip(own, combination, strict=True))}
            for scheduled in schedules:
                yield Conditions(name, None if prepared.train.rows is None else batch_size, chosen, scheduled)


def _contestant(spec: Specification, contender: Contender) -> Contestant:
    settings = [contender.searched(spec.search, spec.trials, spec.seed, repeat) for repeat in range(spec.runs.repeats)]
    return Contestant(contender.label, settings, contender.legal)
