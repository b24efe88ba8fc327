"""A study: contenders on problems under one budget, expanded to members, with everything checked."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from fallline.errors import InputError
from fallline.problems import Prepared, prepare
from fallline.rules import LogRange, Rule
from fallline.study.algorithms import resolve
from fallline.study.checks import check_batches, check_search, check_target, checked_batch_sizes
from fallline.study.conditions import (
    checked_factors,
    checked_schedules,
    group_rule,
    refuse_untreatable,
    refuse_waiting_for_nothing,
    spelled_rule,
)
from fallline.study.contenders import Contender, distinguished, others_of, wrappers_of
from fallline.study.course import StageOfMembers, course, reruns_ahead
from fallline.study.defaults import default_batch_size
from fallline.study.environment import environment
from fallline.study.known_plans import known_or_made
from fallline.study.named import NamedProblem, load_named
from fallline.study.parsing import contender
from fallline.study.plan import Plan
from fallline.study.planning import device_of, make_plan
from fallline.study.record import describe, key
from fallline.study.rehearsing import prove, rehearse_members
from fallline.study.specification import OptimizerSpecification, ProblemSpecification, Specification, specification
from fallline.study.target import Target
from fallline.training import Algorithm, Budget, Member


@dataclass(frozen=True)
class Study:
    """What is compared, ready to run: every part has been checked against the problem's data and model.

    `members` are those of the first stage, with its `plan`; who follows them depends on how they do.
    """

    specification: Specification
    problems: Mapping[str, Prepared]
    contenders: tuple[Contender, ...]
    members: tuple[Member, ...]
    plan: Plan
    environment: Mapping[str, Any]

    @property
    def budget(self) -> Budget:
        """How long each member trains."""
        return _budget(self.specification)

    def course(self) -> Generator[StageOfMembers, Sequence[float], None]:
        """The members stage by stage, given the losses of each stage before."""
        return course(self.specification, self.problems, self.contenders)

    def plan_stage(self, members: Sequence[Member], asked: tuple[str, int | None]) -> Plan:
        """How the members of a later stage are trained, as `asked` for the study."""
        return _plan(self.specification, self.problems, self.environment, members, asked)


def make_study(
    problems: Sequence[NamedProblem],
    contenders: Sequence[Contender],
    *,
    factors: Mapping[str, Sequence[Any]] | None = None,
    schedules: Sequence[Any] = ("constant",),
    penalise: Any = "weights",
    batch_sizes: Sequence[Any] | None = None,
    target: str | None = None,
    device: str = "cpu",
    runner: str = "auto",
    threads: int | None = None,
    command: str | None = None,
    data_dir: str | None = None,
    plan: Plan | None = None,
    **rest: Any,
) -> Study:
    """Check everything and expand it to members; a plan is chosen where none is given. Raises InputError; nothing has
    been trained then.
    """
    if not problems or not contenders:
        raise InputError(f"A study needs at least one {'optimizer' if problems else 'problem'}.")
    if repeated := [p.name for p in problems if [q.name for q in problems].count(p.name) > 1]:
        raise InputError(f"Problem {repeated[0]} is named twice; give the problems different names.")
    contenders = distinguished(contenders)
    if target is not None:
        Target.parse(target)
    factors = checked_factors([p.problem for p in problems], factors or {})
    refuse_untreatable(contenders, factors)
    chosen_schedules = checked_schedules(schedules, contenders)
    place = device_of(device)
    spec = specification(
        problems=[
            ProblemSpecification(
                name=p.name,
                source=p.source,
                options=dict(p.options),
                target=target or p.target,
                target_asked=(target or p.target) != p.problem.target,
                one_start=isinstance(p.problem.model, nn.Module),
                batch_size=p.problem.batch_size,
                drop_last=p.problem.drop_last,
            )
            for p in problems
        ],
        optimizers=[
            OptimizerSpecification(
                label=c.label,
                source=c.source,
                kind=c.kind.__name__,
                wrappers=wrappers_of(c.algorithm),
                others=others_of(c.algorithm),
                is_rule=isinstance(c.algorithm, Rule),
                includes=c.algorithm.core().includes if isinstance(c.algorithm, Rule) else (),
                hyperparameters=_plain(_listed(c, rest.get("search", "grid"))),
                ranges={name: (space.low, space.high) for name, space in c.ranges.items()},
            )
            for c in contenders
        ],
        factors=factors,
        schedules=tuple(map(str, chosen_schedules)),
        penalise=spelled_rule(penalise),
        batch_sizes=checked_batch_sizes(problems, batch_sizes),
        device=device,
        **rest,
    )
    if plan is None:
        check_search(spec, contenders)
    prepared = {p.name: prepare(p.problem, spec.seed, place, spec.validation) for p in problems}
    if batch_sizes is None:
        spec = spec.model_copy(update={"batch_sizes": (default_batch_size(prepared.values()),)})
    first = next(course(spec, prepared, contenders))
    members = first.members
    for problem in spec.problems:
        check_target(problem, prepared[problem.name], spec)
        refuse_waiting_for_nothing(problem.name, spec.factors, prepared[problem.name].validation)
    check_batches(spec, prepared)
    prove(contenders)
    models = rehearse_members(members, prepared, spec.seed)
    code: dict[str, Any] = {f"the optimizer {c.label}": _kind(c.algorithm) for c in contenders}
    code |= {f"the schedule {schedule}": type(schedule) for schedule in chosen_schedules}
    code["what is penalised"] = group_rule(spec.penalise)
    around = environment(prepared, models, code, command)
    if plan is None:
        plan = _plan(spec, prepared, around, members, (runner, threads))
        ahead = reruns_ahead(first, spec, prepared, contenders)
        length = {(name, size): steps for name, size, steps in plan.lengths}
        plan = replace(plan, members_to_come=len(ahead), steps_to_come=sum(length[of] for of in ahead))
    return Study(
        specification=spec,
        problems=prepared,
        contenders=tuple(contenders),
        members=members,
        plan=plan,
        environment={**around, "threads": plan.threads, "data_dir": data_dir},
    )


def rebuild(
    spec: Specification, plan: Mapping[str, Any], environment: Mapping[str, Any], data_dir: Any = None
) -> Study:
    """The study of a stored specification, from the names it was made of; data files may have moved."""
    data_dir = environment.get("data_dir") if data_dir is None else data_dir
    sources = [(p.name, p.source) for p in spec.problems] + [(o.label, o.source) for o in spec.optimizers]
    sources += [(named, named) for named in (*spec.schedules, spec.penalise)]
    for name, source in sources:
        if source is None or source.startswith("__main__:"):
            raise InputError(
                f"{name} was made in Python and cannot be loaded by name. Run the script that began this study "
                "again, with the same store: it continues."
            )
    problems = [load_named(str(p.source), p.options, data_dir, p.target) for p in spec.problems]
    contenders = [_again(o) for o in spec.optimizers]
    return make_study(
        problems,
        contenders,
        factors=spec.factors,
        schedules=spec.schedules,
        penalise=spec.penalise,
        batch_sizes=spec.batch_sizes,
        device=spec.device,
        plan=Plan.from_json(plan),
        command=environment.get("command"),
        data_dir=data_dir,
        epochs=spec.epochs,
        steps=spec.steps,
        evaluate_every=spec.evaluate_every,
        losses_every=spec.losses_every,
        protocol=spec.protocol,
        seeds=spec.seeds,
        final_seeds=spec.final_seeds,
        search=spec.search,
        trials=spec.trials,
        tuning_repeats=spec.tuning_repeats,
        extra_trials=spec.extra_trials,
        seed=spec.seed,
        validation=spec.validation,
        order=spec.order,
        diagnostics=spec.diagnostics,
        speed=spec.speed,
    )


def _again(stored: OptimizerSpecification) -> Contender:
    found = resolve(str(stored.source))
    values = {name: own or stored.ranges[name] for name, own in stored.hyperparameters.items()}
    rates = values.pop("lr", None)
    varied = {name.removeprefix("l2.") if name == "l2.weight_decay" else name: own for name, own in values.items()}
    return Contender(
        stored.label,
        contender(found, rates, varied).algorithm,
        {name: tuple(values) for name, values in stored.hyperparameters.items()},
        stored.source,
        ranges={name: LogRange(*ends) for name, ends in stored.ranges.items()},
    )


def _plan(
    spec: Specification,
    problems: Mapping[str, Prepared],
    environment: Mapping[str, Any],
    members: Sequence[Member],
    asked: tuple[str, int | None],
) -> Plan:
    """The plan of a stage, known to this machine or made."""
    runner, threads = asked
    who = [key(describe(member)) for member in members]

    def make() -> Plan:
        made = make_plan(members, problems, _budget(spec), device_of(spec.device), runner, threads, spec.seed)
        return replace(made, asked=asked)

    return known_or_made(spec, environment, {"runner": runner, "threads": threads, "members": who}, make)


def _budget(spec: Specification) -> Budget:
    return Budget(spec.epochs, spec.steps, spec.evaluate_every, spec.losses_every)


def _kind(algorithm: Algorithm) -> type:
    return algorithm if isinstance(algorithm, type) else type(algorithm.core())


def _listed(c: Contender, search: str) -> dict[str, tuple[Any, ...]]:
    """The values tried of each hyperparameter; none of those that a search draws from a range."""
    return {name: () if search != "grid" and name in c.ranges else values for name, values in c.grid.items()}


def _plain(grid: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    plain = (bool, int, float, str, tuple, type(None))
    return {
        name: tuple(value if isinstance(value, plain) else repr(value) for value in values)
        for name, values in grid.items()
    }
