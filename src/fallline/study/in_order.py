"""Records in the order of the study that they belong to, whenever their members ended."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fallline.plain import canonical
from fallline.study.record import Record
from fallline.study.specification import Specification


def in_order(records: Iterable[Record], spec: Specification) -> tuple[Record, ...]:
    """By problem, condition, optimizer, stage, values and seed, each as the specification has them.

    Values that no grid has (drawn, or added by further trials) come behind those that one has, as they are given.
    """
    problems = _places(p.name for p in spec.problems)
    optimizers = _places(o.label for o in spec.optimizers)
    grids = {o.label: {name: _places(values) for name, values in o.hyperparameters.items()} for o in spec.optimizers}
    factors = {name: _places(values) for name, values in spec.factors.items()}
    sizes, schedules = _places(spec.batch_sizes), _places(spec.schedules)

    def place(record: Record) -> tuple[Any, ...]:
        return (
            _place(problems, record["problem"]),
            _place(sizes, record["batch_size"]),
            _each(factors, record["factors"]),
            _place(schedules, record["schedule"]),
            _place(optimizers, record["optimizer"]),
            record["phase"] == "final",
            _each(grids.get(record["optimizer"], {}), record["hyperparameters"]),
            record["seed"],
        )

    return tuple(sorted(records, key=place))


def _places(values: Iterable[Any]) -> dict[str, int]:
    places: dict[str, int] = {}
    for value in values:
        places.setdefault(canonical(value), len(places))
    return places


def _place(places: Mapping[str, int], value: Any) -> int:
    return places.get(canonical(value), len(places))


def _each(places: Mapping[str, Mapping[str, int]], values: Mapping[str, Any]) -> Sequence[int]:
    return [_place(own, values[name]) for name, own in places.items() if name in values]
