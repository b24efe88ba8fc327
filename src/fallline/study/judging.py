"""Judging a study: what the statistics allow one to say about its reruns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fallline.errors import InputError
from fallline.plain import canonical
from fallline.protocol import under_tuned
from fallline.statistics import Terms, Verdict, verdict
from fallline.study.direction import known_direction, less_is_better
from fallline.study.ranking import Row
from fallline.study.specification import Specification
from fallline.study.values import spelled
from fallline.suggestions import unknown

METRICS = ("test_loss", "validation_loss", "train_loss")
"""What is judged: the first of these that was measured."""
SWEEP = "A sweep chooses and reports on the same runs; for a verdict: --protocol full."


@dataclass(frozen=True)
class Judged:
    """A verdict: on which problem, under which of the conditions that differ, on optimizers or on conditions of one,
    and by what quantity; and the results that it rests on, one for each seed, by what is compared.

    `under_tuned` are pairs of an optimizer that is shown to be better, and one that becomes it at some of its values.
    """

    problem: str
    condition: Mapping[str, Any]
    compared: Literal["optimizers", "conditions"]
    metric: str
    verdict: Verdict
    results: Mapping[str, Sequence[float]]
    under_tuned: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Everything in plain values."""
        where = {"problem": self.problem, "condition": dict(self.condition), "compared": self.compared}
        found = [{"special_case": special, "general": general} for special, general in self.under_tuned]
        return {**where, **self.verdict.plain(), "metric": self.metric, "under_tuned": found}


def judged(rows: Sequence[Row], spec: Specification, metric: str | None = None) -> tuple[Judged, ...]:
    """The verdicts on the rows of a study: on its optimizers, under each of the conditions; where there is one
    optimizer, on its conditions. None before the reruns have ended, and none of a sweep.
    """
    return tuple(_judged(rows, spec, metric))


def one_verdict(rows: Sequence[Row], spec: Specification, metric: str | None, problem: str | None) -> Verdict:
    """The first verdict of a study, or of one of its problems. Raises InputError where there is none."""
    problems = list(dict.fromkeys(row.problem for row in rows))
    if problem is not None and problem not in problems:
        raise InputError(unknown(problem, problems, "problem of this study"))
    own = [row for row in rows if problem in (None, row.problem)]
    known = [name for name in dict.fromkeys(n for row in own for n in row.intervals) if not name.endswith("_gap")]
    if metric is not None and metric not in known:
        raise InputError(unknown(metric, known, "quantity measured in this study"))
    if metric is not None and known_direction(metric) is None:
        raise InputError(
            f"Whether less or more of {metric} is better, its name does not say: call the metric an ..._error or a "
            "..._score."
        )
    if spec.protocol == "sweep":
        raise InputError(SWEEP)
    found = judged(own, spec, metric)
    if not found:
        raise InputError("There is no verdict: nothing is compared, or not all of the reruns have ended.")
    return found[0].verdict


def condition(rows: Sequence[Row], row: Row) -> dict[str, Any]:
    """What of a row's factors, batch size and schedule differs within its problem."""
    others = [other for other in rows if other.problem == row.problem]
    told = {
        name: value
        for name, value in row.factors.items()
        if len({repr(other.factors.get(name)) for other in others}) > 1
    }
    if len({other.batch_size for other in others}) > 1:
        told["batch_size"] = row.batch_size
    if len({other.schedule for other in others}) > 1:
        told["schedule"] = row.schedule
    return told


def _judged(rows: Sequence[Row], spec: Specification, metric: str | None) -> Iterator[Judged]:
    for problem in dict.fromkeys(row.problem for row in rows):
        own = [row for row in rows if row.problem == problem]
        if len({row.optimizer for row in own}) > 1:
            fields: dict[str, list[Row]] = {}
            for row in own:
                fields.setdefault(canonical([row.factors, row.schedule, row.batch_size]), []).append(row)
            for field in fields.values():
                told = condition(rows, field[0])
                yield from _one(field, [row.optimizer for row in field], spec, metric, told, "optimizers")
        else:
            names = _names([condition(rows, row) for row in own])
            yield from _one(own, names, spec, metric, {}, "conditions")


def _one(
    rows: Sequence[Row],
    names: Sequence[str],
    spec: Specification,
    metric: str | None,
    told: Mapping[str, Any],
    compared: Literal["optimizers", "conditions"],
) -> Iterator[Judged]:
    """The verdict on some rows, where there are two or more and all their reruns have ended."""
    wanted = spec.runs.final * spec.runs.repeats
    if len(rows) < 2 or not all(row.rerun and len(row.winners) == wanted for row in rows):
        return
    by = metric or next(name for name in METRICS if all(name in row.intervals for row in rows))
    if not all(by in row.intervals for row in rows):
        return
    results = {name: row.results(by) for name, row in zip(names, rows, strict=True)}
    trials = {name: row.trials for name, row in zip(names, rows, strict=True)}
    searched = any(count > 1 for count in trials.values())
    terms = Terms(by.replace("_", " "), not less_is_better(by), trials, searched and spec.runs.repeats > 1).among(names)
    found = verdict(results, terms)
    better = [(pair.first, pair.second) for pair in found.comparisons if pair.differs]
    yield Judged(
        rows[0].problem, told, compared, by, found, results, tuple(under_tuned(_included(spec, trials), better))
    )


def _included(spec: Specification, trials: Mapping[str, int]) -> dict[str, set[str]]:
    """The optimizers of a study, by label, that others which were searched become at some of their values."""
    return {
        general.label: {
            special.label
            for special in spec.optimizers
            if special.is_rule
            and special.kind in general.includes
            and trials.get(general.label, 1) > 1
            and (special.wrappers, special.others) == (general.wrappers, general.others)
        }
        for general in spec.optimizers
    }


def _names(conditions: Sequence[Mapping[str, Any]]) -> list[str]:
    """The conditions in words, as they are typed; where two are typed alike (None and "none"), as Python has them."""
    for spell in (spelled, repr):
        names = [", ".join(f"{name}={spell(value)}" for name, value in told.items()) for told in conditions]
        if len(set(names)) == len(names):
            break
    return names
