"""Optimizers tuned alike and judged on fresh runs, by the project's own protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fallline as fl
from fallline.gallery.entry import Check, Setting, holds

if TYPE_CHECKING:
    from fallline.statistics import Verdict
    from fallline.study.record import Record
    from fallline.study.results import StudyResults

SEARCHED = 2
"""Seeds of every setting that is tried."""
TRIALS = 9
"""Of every optimizer: learning rates evenly over the logarithm of the range that the rule declares."""


@dataclass(frozen=True)
class Tuned:
    """What a study found on one problem, by the titles of the optimizers: the runs on seeds that chose nothing."""

    runs: "Mapping[str, Sequence[Record]]"
    trials: int | None

    def rate(self, title: str) -> float:
        """The learning rate that was chosen."""
        return float(self.runs[title][0]["hyperparameters"]["lr"])

    def finals(self, quantity: str) -> dict[str, list[float]]:
        """The last value of a quantity in each run."""
        return {title: [run.final(quantity) for run in runs] for title, runs in self.runs.items()}

    def verdict(self, quantity: str = "test_loss") -> "Verdict":
        """The verdict on all pairs of optimizers by the last value of a quantity."""
        return self.judged(self.finals(quantity), quantity.replace("_", " "))

    def judged(self, results: Mapping[str, Sequence[float]], metric: str) -> "Verdict":
        """The verdict on all pairs of optimizers, given one result of each run."""
        from fallline.statistics import Terms, verdict

        return verdict(results, Terms(metric, trials=self.trials))

    def beside(self, other: "Tuned") -> "Tuned":
        """The optimizers of two studies whose runs of a seed began alike."""
        pairs = zip(next(iter(self.runs.values())), next(iter(other.runs.values())), strict=True)
        assert all((one["problem"], one["seed"]) == (two["problem"], two["seed"]) for one, two in pairs)
        assert self.trials == other.trials
        return Tuned({**self.runs, **other.runs}, self.trials)


def tune(
    setting: Setting,
    name: str,
    problems: Sequence[Any],
    optimizers: Mapping[str, str],
    schedule: str = "constant",
    **rest: Any,
) -> tuple[Tuned, ...]:
    """The full protocol on every problem, with optimizers by title as the command line has them.

    Trained as a population whatever the machine is, so that it has the same bits on any that computes alike.
    """
    results = fl.compare(
        problems,
        list(optimizers.values()),
        schedules=[schedule],
        seeds=SEARCHED,
        trials=TRIALS,
        runner="population",
        threads=1,
        store=setting.store(name),
        progress=setting.progress,
        **rest,
    )
    return tuple(_of(results, problem.name, list(optimizers)) for problem in results.specification.problems)


def _of(results: "StudyResults", problem: str, titles: Sequence[str]) -> Tuned:
    rows = {row.optimizer: row for row in results.ranking if row.problem == problem}
    labels = [optimizer.label for optimizer in results.specification.optimizers]
    runs = {
        title: sorted(rows[label].winners, key=lambda run: int(run["seed"]))
        for title, label in zip(titles, labels, strict=True)
    }
    (trials,) = {row.trials for row in rows.values()}
    return Tuned(runs, trials if trials > 1 else None)


def better(what: str, judged: "Verdict", one: str, other: str) -> Check:
    """That a verdict shows one optimizer to be better than another."""
    pair = judged.between(one, other)
    return holds(what, f"{one} is shown to be better", pair.words(), pair.differs and pair.first == one)


def not_better(what: str, judged: "Verdict", one: str, other: str) -> Check:
    """That a verdict does not show one optimizer to be better than another: they are not told apart, or it is worse."""
    pair = judged.between(one, other)
    return holds(what, f"{one} is not shown to be better", pair.words(), not (pair.differs and pair.first == one))
