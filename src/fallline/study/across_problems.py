"""Optimizers over the problems of one study, whose losses have different scales: ratios and mean ranks."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from fallline.plain import canonical
from fallline.statistics import Interval, ProblemRatio, mean_ranks, problem_ratio
from fallline.study.ranking import Row
from fallline.study.values import spelled

QUANTITIES = ("test_loss", "validation_loss", "train_loss")


@dataclass(frozen=True)
class Entrant:
    """An optimizer under one condition: the factors, schedule and batch size that the study compares."""

    optimizer: str
    condition: Mapping[str, Any]

    @property
    def label(self) -> str:
        """The optimizer, and its condition where there are several."""
        told = ", ".join(f"{name}={spelled(value)}" for name, value in self.condition.items())
        return f"{self.optimizer} ({told})" if told else self.optimizer


@dataclass(frozen=True)
class EntrantsRatio:
    """By which factor the losses of the first are those of the second; the first is the one whose are smaller."""

    first: str
    second: str
    ratio: ProblemRatio


@dataclass(frozen=True)
class AcrossProblems:
    """What is reported of each problem, and the entrants that took part in all of them, by their mean ranks.

    `losses` are medians over the runs that are reported, a row for each entrant; `ranks` are the mean ranks over
    problems, 1 the best, and `ratios` are of all pairs, none where a loss of 0 or less leaves them without meaning.
    Every interval is for its own rank or pair alone.
    """

    problems: tuple[str, ...]
    quantities: Mapping[str, str]
    entrants: tuple[Entrant, ...]
    losses: tuple[tuple[float, ...], ...]
    ranks: tuple[Interval, ...]
    ratios: tuple[EntrantsRatio, ...]

    def between(self, first: str, second: str) -> ProblemRatio | None:
        """By which factor the losses of one entrant are those of another, given their labels; None without ratios."""
        for pair in self.ratios:
            if (pair.first, pair.second) == (first, second):
                return pair.ratio
            if (pair.second, pair.first) == (first, second):
                return _inverse(pair.ratio)
        return None

    def to_json(self) -> dict[str, Any]:
        """The comparison as `--json` prints it."""
        return {
            "problems": list(self.problems),
            "quantities": dict(self.quantities),
            "entrants": [
                {
                    "label": entrant.label,
                    "optimizer": entrant.optimizer,
                    "condition": dict(entrant.condition),
                    "losses": list(losses),
                    "mean_rank": vars(rank),
                }
                for entrant, losses, rank in zip(self.entrants, self.losses, self.ranks, strict=True)
            ],
            "ratios": [
                {
                    "first": pair.first,
                    "second": pair.second,
                    "geometric_mean": pair.ratio.geometric_mean,
                    "typical": vars(pair.ratio.interval),
                }
                for pair in self.ratios
            ],
        }


def across_problems(rows: Sequence[Row]) -> AcrossProblems | None:
    """Compare the rows of several problems; None where there is one problem, or fewer than two took part in all."""
    problems = tuple(dict.fromkeys(row.problem for row in rows))
    by_problem = {name: _entrants([row for row in rows if row.problem == name]) for name in problems}
    known = by_problem[problems[0]] if problems else {}
    shared = [key for key in known if all(key in found for found in by_problem.values())]
    if len(problems) < 2 or len(shared) < 2:
        return None
    quantities = {name: _quantity(found[key][1] for key in shared) for name, found in by_problem.items()}
    losses = [tuple(by_problem[name][key][1].intervals[quantities[name]].median for name in problems) for key in shared]
    ranks = mean_ranks(list(zip(*losses, strict=True)))
    order = sorted(range(len(shared)), key=lambda place: ranks[place].estimate)
    entrants = tuple(known[shared[place]][0] for place in order)
    losses = [losses[place] for place in order]
    return AcrossProblems(
        problems=problems,
        quantities=quantities,
        entrants=entrants,
        losses=tuple(losses),
        ranks=tuple(ranks[place] for place in order),
        ratios=_ratios([entrant.label for entrant in entrants], losses),
    )


def _entrants(rows: Sequence[Row]) -> dict[str, tuple[Entrant, Row]]:
    """The rows of one problem by what they are beside the problem: its own factors that do not vary are none of it."""
    varied = [name for name in rows[0].factors if len({canonical(row.factors.get(name)) for row in rows}) > 1]
    found = {}
    for row in rows:
        condition = {name: row.factors[name] for name in varied}
        if len({other.schedule for other in rows}) > 1:
            condition["schedule"] = row.schedule
        if len({other.batch_size for other in rows}) > 1:
            condition["batch_size"] = row.batch_size
        found[canonical([row.optimizer, condition])] = Entrant(row.optimizer, condition), row
    return found


def _quantity(rows: Iterable[Row]) -> str:
    intervals = [row.intervals for row in rows]
    return next(name for name in QUANTITIES if all(name in own for own in intervals))


def _ratios(labels: Sequence[str], losses: Sequence[Sequence[float]]) -> tuple[EntrantsRatio, ...]:
    if any(loss <= 0 for own in losses for loss in own):
        return ()
    found = []
    for one, other in combinations(range(len(labels)), 2):
        first, second = (one, other) if _logarithm(losses[one], losses[other]) <= 0 else (other, one)
        ratio = problem_ratio(losses[first], losses[second])
        found.append(EntrantsRatio(labels[first], labels[second], ratio))
    return tuple(found)


def _inverse(ratio: ProblemRatio) -> ProblemRatio:
    mean, own = ratio.geometric_mean, ratio.interval
    typical, low, high = (math.inf if x == 0 else 1 / x for x in (own.estimate, own.high, own.low))
    return ProblemRatio(None if mean is None else 1 / mean, Interval(typical, low, high, own.level))


def _logarithm(one: Sequence[float], other: Sequence[float]) -> float:
    """The logarithm of the typical factor, below 0 where the first's losses are smaller."""
    factor = problem_ratio(one, other).interval.estimate
    return 0.0 if math.isnan(factor) else math.log(factor) if factor > 0 else -math.inf
