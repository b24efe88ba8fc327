"""The study that the arguments of `compare` ask for."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fallline.arguments import by_name, check, place, whole
from fallline.errors import InputError
from fallline.problems import Problem
from fallline.protocol import TRIALS
from fallline.study import Contender, Study, contender, make_study, named
from fallline.study.conditions import known_factors, undeclared_hint
from fallline.study.defaults import default_epochs
from fallline.study.entries import OptimizerEntry
from fallline.study.unused import refuse_unused_penalise, refuse_unused_rates, refuse_unused_values
from fallline.suggestions import unknown

VARIED = "{'dropout': [0.0, 0.5]}"


def checked_study(
    problem: str | Problem | Sequence[str | Problem],
    optimizers: Sequence[Any],
    *,
    lrs: Any,
    vary: Mapping[str, Sequence[Any]] | None,
    schedules: Sequence[Any] | None,
    batch_sizes: Sequence[int] | None,
    epochs: int | None,
    steps: int | None,
    penalise: Any,
    trials: int | None,
    data_dir: str | Path | None,
    command: str | None,
    **rest: Any,
) -> Study:
    """The study that the arguments of `compare` ask for, everything checked."""
    data_dir = place("data_dir", data_dir)
    check("command", command, str | None, "text")
    problems = [named(one, data_dir) for one in several(problem)]
    factors_known = sorted(known_factors([p.problem for p in problems]))
    factors, varied = _split(
        {name: several(values) for name, values in by_name("vary", {} if vary is None else vary, VARIED).items()},
        factors_known,
    )
    rates = None if lrs is None else several(lrs)
    trials = TRIALS if trials is None else trials
    whole("trials", trials, 2)
    contenders = [
        one.contender(rates, varied, trials)
        if isinstance(one, OptimizerEntry)
        else contender(one, rates, varied, trials=trials)
        for one in several(optimizers)
    ]
    _check_varied(varied, contenders, [p.problem for p in problems])
    refuse_unused_values(contenders, varied)
    refuse_unused_penalise(penalise, factors)
    if rates is not None:
        refuse_unused_rates(contenders, varied)
    return make_study(
        problems,
        contenders,
        factors=factors,
        schedules=("constant",) if schedules is None else several(schedules),
        penalise=penalise,
        batch_sizes=None if batch_sizes is None else several(batch_sizes),
        trials=trials,
        command=command,
        data_dir=None if data_dir is None else str(data_dir.resolve()),
        epochs=default_epochs([p.problem for p in problems]) if epochs is None and steps is None else epochs,
        steps=steps,
        **rest,
    )


def several(given: Any) -> list[Any]:
    """One thing, or several: text, a number, a problem and a rule are one."""
    several = isinstance(given, Iterable) and not isinstance(given, str | Mapping | Problem | type)
    return list(given) if several else [given]


def _split(
    vary: Mapping[str, Sequence[Any]], factors: Iterable[str]
) -> tuple[dict[str, Sequence[Any]], dict[str, Sequence[Any]]]:
    known = set(factors)
    return (
        {name: values for name, values in vary.items() if name in known},
        {name: values for name, values in vary.items() if name not in known},
    )


def _check_varied(
    varied: Mapping[str, Sequence[Any]], contenders: Sequence[Contender], problems: Sequence[Problem]
) -> None:
    for name in varied:
        if not any(name in c.grid or f"l2.{name}" in c.grid for c in contenders):
            known = [
                *sorted(known_factors(problems)),
                *sorted({field for c in contenders for field in c.hyperparameters}),
            ]
            what = "factor of the problem or hyperparameter of an optimizer"
            raise InputError(unknown(name, known, what) + undeclared_hint(problems, name))
