"""Several studies of the same problems under the same budget, taken as one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

from fallline.errors import InputError
from fallline.plain import canonical
from fallline.problems.problem import OF_THE_LOSS
from fallline.study.differences import differences
from fallline.study.environment import other_objects
from fallline.study.ranking import MEASURED, grouped
from fallline.study.record import Record
from fallline.study.results import StudyResults
from fallline.study.specification import OptimizerSpecification, Specification
from fallline.study.speed import Speed
from fallline.training.treatments import TREATMENTS

COMPARED = ("optimizers", "factors", "schedules", "batch_sizes")
"""What studies that are merged may differ in."""


def merge(studies: Sequence[StudyResults], folder: Path) -> StudyResults:
    """The results of several studies as those of one, whose report belongs into a folder.

    They may differ in optimizers, factors, schedules and batch sizes. Problems, data, metrics, initial weights, orders,
    budget and seeds must be the same, so that what is compared had equal chances: otherwise raises InputError.
    A member that several studies have counts once.
    """
    first, *others = studies
    for other in others:
        _refuse_another_setting(first, other)
    factors = {name for study in studies for name in study.specification.factors}
    records = _once([_with_factors(record, factors) for study in studies for record in study.records], studies)
    _refuse_other_beginnings(records)
    spec = first.specification.model_copy(
        update={
            "optimizers": _optimizers(studies),
            "factors": {
                name: _values(name, studies, records) for name in _in_order(s.factors for s in _specs(studies))
            },
            "schedules": _in_order(s.schedules for s in _specs(studies)),
            "batch_sizes": _in_order(s.batch_sizes for s in _specs(studies)),
        }
    )
    environment = reduce(_joined, [study.environment for study in studies])
    command = "\n".join(_in_order([study.environment["command"]] for study in studies if study.environment["command"]))
    return StudyResults(
        spec,
        {**environment, "command": command or None, "data_dir": first.environment.get("data_dir")},
        _plan(studies, sum(len(study.records) for study in studies) - len(records)),
        tuple(records),
        folder,
        _speeds(studies),
    )


def _specs(studies: Sequence[StudyResults]) -> list[Specification]:
    return [study.specification for study in studies]


def _in_order(several: Any) -> tuple[Any, ...]:
    """All that is in several sequences, once each."""
    return tuple(dict.fromkeys(item for items in several for item in items))


def _refuse_another_setting(first: StudyResults, other: StudyResults) -> None:
    own = {name: getattr(first.specification, name) for name in COMPARED}
    found = differences(first.specification, other.specification.model_copy(update=own))
    before, now = first.environment["digests"]["data"], other.environment["digests"]["data"]
    if not found:
        found = [
            f"{split} data of {problem}: others"
            for problem, splits in now.items()
            for split in {**splits, **before[problem]}
            if splits.get(split) != before[problem].get(split)
        ]
    if not found:
        found = [f"{name}: another" for name in other_objects(first.environment, other.environment)]
    if not found:
        metrics, others = _quantities(first), _quantities(other)
        found = [
            f"what is measured on {problem}: {' and '.join(sorted(metrics[problem]))} there, "
            f"{' and '.join(sorted(others[problem]))} here"
            for problem in metrics.keys() & others.keys()
            if metrics[problem] != others[problem]
        ]
    if found:
        raise InputError(
            f"{other.folder} cannot be reported together with {first.folder}: {'; '.join(found)}. Only studies that "
            "differ in optimizers, factors, schedules and batch sizes had equal chances; report others one by one."
        )


def _quantities(study: StudyResults) -> dict[str, set[str]]:
    return {
        runs[0]["problem"]: {name for name in runs[0].curve.columns if name.startswith(MEASURED)}
        for runs in grouped(study.records, ("problem",))
    }


def _with_factors(record: Record, names: set[str]) -> Record:
    """A record with what another study varies at its off value; what a treatment that is off does is nothing."""
    off = {name: treatment.off for name, treatment in TREATMENTS.items()} | dict(OF_THE_LOSS)
    absent = {name: off[name] for name in sorted(names) if name in off and name not in record["factors"]}
    return replace(record, description={**record.description, "factors": {**record["factors"], **absent}})


def _once(records: Sequence[Record], studies: Sequence[StudyResults]) -> list[Record]:
    """The records without repetitions. Raises InputError where two of one member differ."""
    found: dict[str, Record] = {}
    for record in records:
        before = found.setdefault(record.key, record)
        if repr(before.curve.columns) != repr(record.curve.columns):
            raise InputError(
                f"{record['optimizer']} with {canonical(record['hyperparameters'])}, seed {record['seed']}, on "
                f"{record['problem']} is in several of {', '.join(str(study.folder) for study in studies)}, with other "
                "curves: their code or machines differ. Report them one by one."
            )
    return list(found.values())


def _refuse_other_beginnings(records: Sequence[Record]) -> None:
    weights: dict[str, Record] = {}
    orders: dict[str, Record] = {}
    for record in records:
        if record.origin is None:
            continue
        own = {name: value for name, value in record["factors"].items() if name not in {*TREATMENTS, *OF_THE_LOSS}}
        run = weights.setdefault(canonical([record["problem"], own, record["seed"]]), record)
        order = orders.setdefault(canonical([record["problem"], record["seed"]]), record)
        assert run.origin is not None
        assert order.origin is not None
        if (run.origin.weights, order.origin.order) != (record.origin.weights, record.origin.order):
            what = "initial weights" if run.origin.weights != record.origin.weights else "an order"
            raise InputError(
                f"Seed {record['seed']} on {record['problem']} has other {what} in one of these studies than in "
                "another (its model or code changed), so that they had no equal chances. Report them one by one."
            )


def _optimizers(studies: Sequence[StudyResults]) -> tuple[OptimizerSpecification, ...]:
    found: dict[str, OptimizerSpecification] = {}
    for study in studies:
        for optimizer in study.specification.optimizers:
            before = found.get(optimizer.label)
            if before is not None and study.specification.protocol == "full":
                _refuse_another_search(before, optimizer, study.folder)
            found[optimizer.label] = optimizer if before is None else _both(before, optimizer, study.folder)
    return tuple(found.values())


def _refuse_another_search(before: OptimizerSpecification, now: OptimizerSpecification, folder: Path) -> None:
    """Raise InputError where an optimizer had other values to choose from: each study has trained its own choice again,
    and these are no runs of one setting.
    """
    if before != now:
        raise InputError(
            f"{now.label} of {folder} is another than that of the studies before it, or had other values to choose "
            "from, and each study trained its own choice again. Report them one by one, or compare anew "
            "with all values."
        )


def _both(before: OptimizerSpecification, now: OptimizerSpecification, folder: Path) -> OptimizerSpecification:
    """An optimizer of two studies with the values of both, which may differ in one hyperparameter."""
    there, here = before.hyperparameters, now.hyperparameters
    other = [name for name in there if set(there[name]) != set(here.get(name, ()))]
    same = before.model_copy(update={"hyperparameters": here, "ranges": now.ranges}) == now
    if not same or there.keys() != here.keys() or len(other) > 1:
        raise InputError(
            f"{now.label} of {folder} is another than that of the studies before it, or tunes other hyperparameters: "
            "its settings would be told apart by nothing. Report them one by one."
        )
    both = {name: _in_order([there[name], here[name]]) for name in there}
    ranges = before.ranges if before.ranges == now.ranges else {}
    return before.model_copy(update={"hyperparameters": both, "ranges": ranges})


def _values(name: str, studies: Sequence[StudyResults], records: Sequence[Record]) -> tuple[Any, ...]:
    varied = _in_order(spec.factors.get(name, ()) for spec in _specs(studies))
    return _in_order([varied, [record["factors"][name] for record in records if name in record["factors"]]])


def _speeds(studies: Sequence[StudyResults]) -> tuple[Speed, ...]:
    """The speeds that were measured, of the first study that did; none where machines or threads differ, since then
    seconds say nothing about optimizers.
    """
    speeds = {speed.key: speed for study in reversed(studies) for speed in study.speeds}
    around = {(speed.machine, speed.threads) for speed in speeds.values()}
    return tuple(speeds.values()) if len(around) == 1 else ()


def _plan(studies: Sequence[StudyResults], repeated: int) -> dict[str, Any]:
    plans = [study.plan for study in studies]
    return {
        **reduce(_joined, plans),
        "members": sum(plan["members"] for plan in plans) - repeated,
        "steps": sum(plan["steps"] for plan in plans),
        "lengths": _in_order([tuple(length) for length in plan["lengths"]] for plan in plans),
        "reasons": list(_in_order(plan["reasons"] for plan in plans)),
        "populations": [own for plan in plans for own in plan.get("populations", ())],
        "later": [stage for plan in plans for stage in plan.get("later", ())],
        **{name: sum(plan.get(name, 0) for plan in plans) for name in ("members_to_come", "steps_to_come")},
    }


def _joined(a: Any, b: Any) -> Any:
    """Two plain values as one: equal ones once, mappings entry by entry, others side by side."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return {key: _joined(a[key], b[key]) if key in a and key in b else {**a, **b}[key] for key in {**a, **b}}
    if a == b:
        return a
    items = [item for value in (a, b) for item in (value if isinstance(value, list) else [value])]
    return list({canonical(item): item for item in items}.values())
