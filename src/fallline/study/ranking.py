"""Selection and ranking: the best values of each optimizer on validation data, and how these did."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fallline.plain import canonical
from fallline.statistics import MedianInterval, TimeToTarget, median_interval
from fallline.study.reached import Reached
from fallline.study.record import Record
from fallline.study.speed import Speed
from fallline.study.target import ResolvedTarget

MEASURED = ("train_", "validation_", "test_")
GROUP = ("problem", "optimizer", "factors", "schedule", "batch_size")


@dataclass(frozen=True)
class StepsToTarget:
    """The first step by which half of the runs had met a target (infinite where fewer did), and how many did."""

    target: str
    median: float
    reached: int
    of: int


@dataclass(frozen=True)
class Row:
    """One optimizer on one problem, at the values that did best on validation data.

    `intervals` has the final value of every quantity, and `test_gap`, the loss on test data less that on training data
    (`validation_gap` where there are no test data). With a `target`, `reached` has the winners' times to it by unit:
    steps, samples, evaluations, and seconds where there is a `speed`.
    """

    problem: str
    optimizer: str
    factors: Mapping[str, Any]
    schedule: str
    batch_size: int | None
    hyperparameters: Mapping[str, Any]
    tuned: Mapping[str, Any]
    selected_on: str
    trials: int
    members: int
    diverged: int
    winners: tuple[Record, ...]
    intervals: Mapping[str, MedianInterval]
    edges: tuple[str, ...]
    target: ResolvedTarget | None = None
    reached: Mapping[str, Reached] = field(default_factory=dict)
    speed: Speed | None = None

    @property
    def score(self) -> float:
        """What the ranking sorts by: the median of the quantity that was selected on."""
        return self.intervals[self.selected_on].median

    @property
    def best_record(self) -> Record:
        """The winner's run with the least loss."""
        return min(self.winners, key=lambda record: record.final(self.selected_on))

    @cached_property
    def time_to_target(self) -> Mapping[str, TimeToTarget]:
        """Hit rate, median, cost and curve of the winners' times to the target, by unit; empty without a target."""
        return {unit: times.statistics for unit, times in self.reached.items()}

    @property
    def steps_to_target(self) -> StepsToTarget | None:
        """The time to the target in steps, in short."""
        if self.target is None or "steps" not in self.time_to_target:
            return None
        found = self.time_to_target["steps"]
        return StepsToTarget(self.target.words, found.median, found.hits.count, found.hits.of)


Grid = Mapping[str, Sequence[Any]]


def rank(records: Sequence[Record], grids: Mapping[str, Grid]) -> list[Row]:
    """The rows of a study, best first within each problem; test data play no part in it.

    `grids` gives every optimizer's values tried of each hyperparameter.
    """
    problems = list(dict.fromkeys(record["problem"] for record in records))
    rows = [_row(members, grids.get(members[0]["optimizer"], {})) for members in grouped(records, GROUP)]
    return sorted(rows, key=lambda row: (problems.index(row.problem), row.score))


def grouped(records: Iterable[Record], names: Sequence[str]) -> list[list[Record]]:
    """Records with equal entries of their description, in order of first appearance."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(canonical([record[name] for name in names]), []).append(record)
    return list(groups.values())


def best_setting(members: Sequence[Record]) -> list[Record]:
    """The runs of the hyperparameters with the least median loss on validation data (training data without any).

    Ties go to the fewer diverged runs, then to the first that was tried.
    """
    settings = grouped(members, ("hyperparameters",))
    return min(
        settings,
        key=lambda runs: (
            median_interval([run.final(selected_on(members)) for run in runs]).median,
            sum(run.diverged for run in runs),
        ),
    )


def selected_on(members: Sequence[Record]) -> str:
    """The quantity that decides among members on one problem."""
    return members[0].curve.deciding


def _row(members: list[Record], grid: Grid) -> Row:
    winners = best_setting(members)
    hyperparameters = winners[0]["hyperparameters"]
    quantities = [name for name in winners[0].curve.columns if name.startswith(MEASURED)]
    return Row(
        **{name: winners[0][name] for name in GROUP},
        hyperparameters=hyperparameters,
        tuned={name: hyperparameters[name] for name in grid},
        selected_on=selected_on(members),
        trials=len(grouped(members, ("hyperparameters",))),
        members=len(members),
        diverged=sum(record.diverged for record in members),
        winners=tuple(winners),
        intervals={name: median_interval([run.final(name) for run in winners]) for name in quantities} | _gap(winners),
        edges=tuple(_edges(grid, hyperparameters)),
    )


def _gap(winners: Sequence[Record]) -> dict[str, MedianInterval]:
    """By how much the loss is larger on test data (or else validation data) than on training data, run by run."""
    split = next((name for name in ("test", "validation") if f"{name}_loss" in winners[0].curve), None)
    if split is None:
        return {}
    gaps = [math.inf if r.diverged else r.final(f"{split}_loss") - r.final("train_loss") for r in winners]
    return {f"{split}_gap": median_interval(gaps)}


def _edges(tried: Mapping[str, Sequence[Any]], chosen: Mapping[str, Any]) -> Iterable[str]:
    for name, values in tried.items():
        numbers = [value for value in values if isinstance(value, float)]
        if len(numbers) < 3:
            continue
        for which, end in (("least", min), ("largest", max)):
            if chosen[name] == end(numbers):
                yield f"{name}={chosen[name]:g} is the {which} value tried"
