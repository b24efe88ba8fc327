"""Two conditions compared seed by seed: runs of one seed share initial weights, batches and dropout."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from fallline.gallery.entry import Check, holds

if TYPE_CHECKING:
    from fallline.statistics import MedianInterval
    from fallline.study.record import Record

Measure = Callable[["Record"], float]


def runs(records: "Iterable[Record]", **conditions: object) -> "list[Record]":
    """The records under some factors, schedule or learning rate (`lr`), in the order of their seeds."""
    chosen = [r for r in records if all(_condition(r, name) == value for name, value in conditions.items())]
    return sorted(chosen, key=lambda record: int(record["seed"]))


def final(quantity: str) -> Measure:
    """The last value of a quantity."""
    return lambda record: record.final(quantity)


def gap(record: "Record") -> float:
    """By how much the loss on test data exceeds that on training data."""
    return record.final("test_loss") - record.final("train_loss")


def difference(changed: "Sequence[Record]", plain: "Sequence[Record]", measure: Measure) -> "MedianInterval":
    """The median of what the change adds to a measure, seed by seed, with its interval.

    Two infinite values, of runs that diverged or never arrived, are no difference.
    """
    from fallline.statistics import median_interval

    pairs = [(measure(a), measure(b)) for a, b in zip(changed, plain, strict=True)]
    assert all((a["problem"], a["seed"]) == (b["problem"], b["seed"]) for a, b in zip(changed, plain, strict=True))
    return median_interval([0.0 if a == b else a - b for a, b in pairs])


def lowers(what: str, changed: "Sequence[Record]", plain: "Sequence[Record]", measure: Measure) -> Check:
    """That a change lowers a measure: the interval of the paired differences lies below 0."""
    found = difference(changed, plain, measure)
    return holds(what, "an interval below 0", told(found, len(plain)), found.high < 0)


def raises(what: str, changed: "Sequence[Record]", plain: "Sequence[Record]", measure: Measure) -> Check:
    """That a change raises a measure: the interval of the paired differences lies above 0."""
    found = difference(changed, plain, measure)
    return holds(what, "an interval above 0", told(found, len(plain)), found.low > 0)


def told(found: "MedianInterval", pairs: int) -> str:
    """Median and interval as a check prints them."""
    return f"{found.median:.3g} [{found.low:.3g}, {found.high:.3g}], {found.level:.1%} of {pairs} pairs"


def _condition(record: "Record", name: str) -> object:
    if name == "lr":
        return record["hyperparameters"]["lr"]
    if name in ("schedule", "optimizer", "problem"):
        return record[name]
    return record["factors"][name]
