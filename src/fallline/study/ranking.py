"""Selection and ranking: the best values of each optimizer on validation data, and how these did."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fallline.plain import canonical
from fallline.protocol import Seeds, edges, selected
from fallline.statistics import MedianInterval, TimeToTarget, median_interval
from fallline.study.reached import Reached
from fallline.study.record import Record
from fallline.study.speed import Speed
from fallline.study.target import ResolvedTarget
from fallline.study.values import spelled

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

    `selection` are the runs that chose the values, `winners` those that are reported: the reruns of these values on
    seeds that chose nothing. In a sweep, and as long as a study has not come to its reruns (`rerun` is False), both
    are the same. Where the search was repeated, `winners` are the reruns of all repeats, `repeats` those of each, and
    the values are those of the repeat whose search found the best. `intervals` has the final value of every quantity,
    and `test_gap`, the loss on test data less that on training data (`validation_gap` where there are no test data).
    With a `target`, `reached` has the winners' times to it by unit: steps, samples, evaluations, and seconds where
    there is a `speed`.
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
    selection: tuple[Record, ...]
    winners: tuple[Record, ...]
    repeats: tuple[tuple[Record, ...], ...]
    rerun: bool
    intervals: Mapping[str, MedianInterval]
    edges: tuple[str, ...]
    target: ResolvedTarget | None = None
    reached: Mapping[str, Reached] = field(default_factory=dict)
    speed: Speed | None = None

    @property
    def told(self) -> dict[str, Any]:
        """The tuned values in words; where repeated searches chose several, from the least to the largest, or all."""
        chosen = [runs[0]["hyperparameters"] for runs in self.repeats]
        return {name: _span([own[name] for own in chosen] or [value]) for name, value in self.tuned.items()}

    @property
    def score(self) -> float:
        """What the ranking sorts by: the median of the quantity that was selected on."""
        return self.intervals[self.selected_on].median

    @property
    def unit(self) -> str:
        """What there is one result of."""
        return "repeat" if len(self.repeats) > 1 else "seed"

    def results(self, quantity: str) -> list[float]:
        """The final values of a quantity, in the order of seeds; where the search was repeated one for each repeat,
        their median.
        """
        return _results(self.repeats, lambda run: run.final(quantity))

    @property
    def best_record(self) -> Record:
        """The run with the least loss of those at the row's values, which repeated searches may not all have chosen."""
        own = canonical(self.hyperparameters)
        runs = [record for record in self.winners if canonical(record["hyperparameters"]) == own]
        return min(runs or self.winners, key=lambda record: record.final(self.selected_on))

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


def rank(records: Sequence[Record], grids: Mapping[str, Grid], seeds: Seeds) -> list[Row]:
    """The rows of a study, best first within each problem; test data play no part in it.

    `grids` gives every optimizer's values tried of each hyperparameter (none of those that were drawn), `seeds` which
    of them belong to the search.
    """
    problems = list(dict.fromkeys(record["problem"] for record in records))
    rows = [_row(members, grids.get(members[0]["optimizer"], {}), seeds) for members in grouped(records, GROUP)]
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
    return settings[selected([[run.final(selected_on(members)) for run in runs] for runs in settings])]


def selected_on(members: Sequence[Record]) -> str:
    """The quantity that decides among members on one problem."""
    return members[0].curve.deciding


def _span(values: Sequence[Any]) -> Any:
    different = list({canonical(value): value for value in values}.values())
    if len(different) == 1:
        return different[0]
    if all(isinstance(value, float) for value in different):
        return f"{min(different):.3g} to {max(different):.3g}"
    return "|".join(map(spelled, different))


def _row(members: list[Record], grid: Grid, seeds: Seeds) -> Row:
    selection, repeats = _chosen_in_repeats(members, seeds)
    at_edges = [edge for runs in _by_repeat(members, seeds) for edge in _edges_of(runs, grid)]
    winners = [run for runs in repeats for run in runs]
    hyperparameters = selection[0]["hyperparameters"]
    searched = [record for record in members if record["phase"] == "search"]
    quantities = [name for name in winners[0].curve.columns if name.startswith(MEASURED)]
    return Row(
        **{name: winners[0][name] for name in GROUP},
        hyperparameters=hyperparameters,
        tuned={name: hyperparameters[name] for name in grid},
        selected_on=selected_on(members),
        trials=max(len(grouped(runs, ("hyperparameters",))) for runs in _by_repeat(searched or members, seeds)),
        members=len(members),
        diverged=sum(record.diverged for record in members),
        selection=tuple(selection),
        winners=tuple(winners),
        repeats=tuple(map(tuple, repeats)),
        rerun=winners[0]["phase"] == "final",
        intervals={name: median_interval(_results(repeats, _final(name))) for name in quantities} | _gap(repeats),
        edges=tuple(dict.fromkeys(at_edges)),
    )


def _chosen_in_repeats(members: Sequence[Record], seeds: Seeds) -> tuple[list[Record], list[list[Record]]]:
    """The runs that chose the values, of the repeat that found the best, and those that are reported of each repeat."""
    chosen = list(map(_chosen, _by_repeat(members, seeds)))
    losses = [[run.final(selected_on(members)) for run in selection] for selection, _ in chosen]
    return chosen[selected(losses)][0], [winners for _, winners in chosen]


def _by_repeat(members: Sequence[Record], seeds: Seeds) -> list[list[Record]]:
    repeats: dict[int, list[Record]] = {}
    for record in members:
        repeats.setdefault(seeds.repeat_of(record["seed"]), []).append(record)
    return [repeats[number] for number in sorted(repeats)]


def _results(repeats: Sequence[Sequence[Record]], value: Callable[[Record], float]) -> list[float]:
    ordered = [[value(run) for run in sorted(runs, key=lambda run: int(run["seed"]))] for runs in repeats]
    return ordered[0] if len(ordered) == 1 else [median_interval(values).median for values in ordered]


def _final(quantity: str) -> Callable[[Record], float]:
    return lambda run: run.final(quantity)


def _chosen(members: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """The runs that chose the values, and those that are reported."""
    reruns = [record for record in members if record["phase"] == "final"]
    again = [canonical(record["hyperparameters"]) for record in reruns]
    searched = [record for record in members if record["phase"] == "search"]
    # Where a setting was trained again, the choice was made: it is among those that were.
    candidates = [record for record in searched if not again or canonical(record["hyperparameters"]) in again]
    if not candidates:
        return reruns, reruns
    selection = best_setting(candidates)
    chosen = canonical(selection[0]["hyperparameters"])
    winners = [record for record, values in zip(reruns, again, strict=True) if values == chosen]
    return selection, winners or selection


def _edges_of(members: list[Record], grid: Grid) -> list[str]:
    """The edges at which the best values of one repeat lie, among those that it tried."""
    searched = [record for record in members if record["phase"] == "search"]
    selection, _ = _chosen(members)
    return list(map(str, edges(_values(searched, grid), selection[0]["hyperparameters"])))


def _values(searched: Sequence[Record], grid: Grid) -> dict[str, set[Any]]:
    """All values tried, or still to be tried, of each hyperparameter that is tuned."""
    tried = {name: [record["hyperparameters"][name] for record in searched] for name in grid}
    return {name: {value for value in (*grid[name], *tried[name]) if isinstance(value, float)} for name in grid}


def _gap(repeats: Sequence[Sequence[Record]]) -> dict[str, MedianInterval]:
    """By how much the loss is larger on test data (or else validation data) than on training data, run by run."""
    split = next((name for name in ("test", "validation") if f"{name}_loss" in repeats[0][0].curve), None)
    if split is None:
        return {}

    def gap(run: Record) -> float:
        return math.inf if run.diverged else run.final(f"{split}_loss") - run.final("train_loss")

    return {f"{split}_gap": median_interval(_results(repeats, gap))}
