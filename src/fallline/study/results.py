"""The results of a study: its members, the ranking they give, and both in plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fallline.errors import InputError
from fallline.plain import canonical, finite
from fallline.statistics import MedianInterval, RateRobustness, TimeToTarget, Verdict
from fallline.study.across_problems import AcrossProblems, across_problems
from fallline.study.in_order import in_order
from fallline.study.judging import Judged, judged, one_verdict
from fallline.study.paste import paste_lines
from fallline.study.ranking import GROUP, Row, grouped, rank
from fallline.study.rate_batch_grid import RateBatchGrid, rate_batch_grids
from fallline.study.record import Record
from fallline.study.search_curve import SearchCurve, search_curve
from fallline.study.specification import Specification
from fallline.study.speed import Speed
from fallline.study.store import Store
from fallline.study.target import Target
from fallline.study.timing import with_times
from fallline.study.tried_rates import robustness

_BY_SHARE = ("decades", "at_edge")


@dataclass(frozen=True)
class StudyResults:
    """What a study found, whole or so far: specification, environment, plan and the members that have ended."""

    specification: Specification
    environment: Mapping[str, Any]
    plan: Mapping[str, Any]
    records: tuple[Record, ...]
    folder: Path
    speeds: tuple[Speed, ...] = ()

    def __post_init__(self) -> None:
        # Members end in any order, and no result may depend on it.
        object.__setattr__(self, "records", in_order(self.records, self.specification))

    @cached_property
    def searched(self) -> tuple[Record, ...]:
        """The members of the search; in a sweep all."""
        return tuple(record for record in self.records if record["phase"] == "search")

    @cached_property
    def reruns(self) -> tuple[Record, ...]:
        """The members that train what was chosen again, on seeds that chose nothing; in a sweep none."""
        return tuple(record for record in self.records if record["phase"] == "final")

    @property
    def search_digest(self) -> str:
        """The digest of how values were searched, and of every optimizer's search space."""
        return self.specification.search_digest

    @property
    def planned(self) -> int:
        """How many members the study will have, as far as is known."""
        later = sum(stage["members"] for stage in self.plan.get("later", ()))
        return int(self.plan.get("members", len(self.records)) + later + self.plan.get("members_to_come", 0))

    @cached_property
    def ranking(self) -> list[Row]:
        """One row per problem and optimizer, at its best values, best first within each problem."""
        spec = self.specification
        grids = {optimizer.label: optimizer.hyperparameters for optimizer in spec.optimizers}
        targets = {p.name: None if p.target is None else Target.parse(p.target) for p in spec.problems}
        return with_times(rank(self.records, grids, spec.runs), targets, self._lengths, self.speeds)

    @cached_property
    def across_problems(self) -> AcrossProblems | None:
        """Ratios of losses and mean ranks over the problems of a study that has several."""
        return across_problems(self.ranking)

    def rate_robustness(self, row: Row) -> RateRobustness | None:
        """How much of the learning rates tried for a row would have done; None where fewer than two were."""
        return robustness(self._search_of(row))

    def expected_best(self, row: Row) -> SearchCurve | None:
        """What fewer trials of a row's search would have found; None for fewer than two trials."""
        return search_curve(self._search_of(row))

    @cached_property
    def rate_batch_grids(self) -> tuple[RateBatchGrid, ...]:
        """Losses by learning rate and batch size, of every optimizer that was tried with several of both."""
        return rate_batch_grids(self.searched)

    @cached_property
    def _searches(self) -> dict[str, list[Record]]:
        """The records of the search by the row that they belong to."""
        return {_place(records[0]): records for records in grouped(self.searched, GROUP)}

    def _search_of(self, row: Row) -> list[Record]:
        return self._searches.get(_place(vars(row)), [])

    @property
    def _lengths(self) -> dict[tuple[str, int | None], int]:
        """The steps of a training by problem and batch size."""
        return {(name, size): total for name, size, total in self.plan.get("lengths", ())}

    @cached_property
    def verdicts(self) -> tuple[Judged, ...]:
        """What may be said about all pairs of optimizers, by problem and conditions; or of conditions, where they alone
        are compared. Of a sweep nothing, since it chooses and reports on the same runs.
        """
        return judged(self.ranking, self.specification)

    def verdict(self, metric: str | None = None, problem: str | None = None) -> Verdict:
        """The verdict on the first problem or the one named, in its first conditions: of a quantity such as
        `test_accuracy`, by default the loss on test data, or on the best there are.

        Raises InputError where there is none, and says why.
        """
        return one_verdict(self.ranking, self.specification, metric, problem)

    def paste_line(self, row: Row) -> str:
        """The code that makes a row's optimizer, with its treatments and schedule."""
        optimizer = next(o for o in self.specification.optimizers if o.label == row.optimizer)
        longest = int(max(record.curve["step"][-1] for record in row.winners))
        steps = self._lengths.get((row.problem, row.batch_size), longest)
        source = next(p.source for p in self.specification.problems if p.name == row.problem)
        return paste_lines(
            optimizer, row.hyperparameters, row.factors, self.specification.penalise, row.schedule, steps, source
        )

    def to_json(self) -> dict[str, Any]:
        """The document that `--json` prints; non-finite numbers are None."""
        document = {
            "specification": self.specification.model_dump(mode="json"),
            "environment": dict(self.environment),
            "plan": dict(self.plan),
            "ranking": [self._row_json(row) for row in self.ranking],
            "members": [record.to_json() for record in self.records],
            "search_digest": self.search_digest,
            "verdicts": [judged.to_json() for judged in self.verdicts],
            "across_problems": None if self.across_problems is None else self.across_problems.to_json(),
        }
        plain: dict[str, Any] = finite(document)
        return plain

    def _row_json(self, row: Row) -> dict[str, Any]:
        steps = row.steps_to_target
        robust, expected = self.rate_robustness(row), self.expected_best(row)
        return {
            "problem": row.problem,
            "optimizer": row.optimizer,
            "hyperparameters": dict(row.hyperparameters),
            "chosen_in_repeats": [dict(runs[0]["hyperparameters"]) for runs in row.repeats],
            "factors": dict(row.factors),
            "schedule": row.schedule,
            "batch_size": row.batch_size,
            "trials": row.trials,
            "members": row.members,
            "diverged": row.diverged,
            "seeds": len(row.winners),
            "repeats": len(row.repeats),
            "rerun": row.rerun,
            "selected_on": row.selected_on,
            "at_edge": list(row.edges),
            **{name: _interval(interval) for name, interval in row.intervals.items()},
            "target": None if row.target is None else row.target.to_json(),
            "steps_to_target": None if steps is None else vars(steps),
            "time_to_target": {unit: _time(found) for unit, found in row.time_to_target.items()},
            "speed": None if row.speed is None else row.speed.to_json(),
            "rate_robustness": None if robust is None else _robustness(robust),
            "expected_best": None if expected is None else expected.to_json(),
            "paste": self.paste_line(row),
        }


def read_results(folder: str | Path) -> StudyResults:
    """The results in a study's folder, finished or not."""
    if not Path(folder).exists():
        raise InputError(f"There is no folder {folder} (looked in {Path.cwd()}).")
    with Store.reader(folder) as store:
        stored = store.study()
        records = tuple(store.records().values())
        speeds = store.speeds()
    if stored is None:
        raise InputError(f"The study in {folder} has not begun.")
    specification, plan, environment = stored
    return StudyResults(
        Specification.model_validate_json(specification), environment, plan, records, Path(folder), speeds
    )


def _robustness(found: RateRobustness) -> dict[str, Any]:
    by_share = {name: {f"{within:g}": value for within, value in getattr(found, name).items()} for name in _BY_SHARE}
    return {**vars(found), **by_share}


def _time(found: TimeToTarget) -> dict[str, Any]:
    hits = {**vars(found.hits), "estimate": found.hits.estimate}
    return {
        "hits": hits,
        "median": found.median,
        "cost": found.cost,
        "curve": {"time": list(found.times), "without": list(found.without)},
    }


def _place(owner: Any) -> str:
    """What tells a row from the others, of a record or a row's fields."""
    return canonical([owner[name] for name in GROUP])


def _interval(interval: MedianInterval) -> dict[str, float]:
    return {
        "median": interval.median,
        "low": interval.low,
        "high": interval.high,
        "level": interval.level,
    }
