"""What can be said about two optimizers, in numbers and in words."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from fallline.phrases import counted, number
from fallline.plain import finite
from fallline.statistics.interval import Interval
from fallline.statistics.paired import Paired
from fallline.statistics.terms import Terms


@dataclass(frozen=True)
class Comparison:
    """Two optimizers, `first` the one that is ahead.

    `lead` is by how much the first is better, in the metric's units, so that positive is better whichever way that is;
    its interval, aiming at the level 1 - alpha, is for this pair alone. `p` is this pair's p-value, `adjusted` that
    over all `pairs`. `paired` has what happened seed by seed, in first less second of results of which less is better.
    `detectable` is the difference that would have been found in four of five such studies, `diverged` how many runs of
    each did, `seeds_needed` how many a verdict takes.
    """

    first: str
    second: str
    lead: Interval
    p: float
    adjusted: float
    pairs: int
    alpha: float
    paired: Paired
    detectable: float
    diverged: tuple[int, int]
    seeds_needed: int
    terms: Terms

    @property
    def seeds(self) -> int:
        """The number of pairs of results."""
        return self.paired.seeds

    @property
    def enough(self) -> bool:
        """Whether there are enough seeds for a verdict."""
        return self.seeds >= self.seeds_needed

    @property
    def differs(self) -> bool:
        """Whether the first is better, at the error rate alpha over all pairs."""
        return self.enough and self.adjusted <= self.alpha

    def words(self) -> str:
        """What can be said, in one or a few sentences."""
        if self.differs:
            found = f"{self.first} reaches {self.terms.better} than {self.second}: {self._told()}"
            return f"{found}, {self._significance()}, {self.terms.tuning}.{self._divergences()}"
        if not self.enough:
            return f"{too_few(self)} {self._names()}: {self._told()}.{self._divergences()}"
        none = (
            f"No evidence of a difference in {self.terms.metric} between {self._names()} at {self._counted(self.seeds)}"
        )
        return (
            f"{none}: {self._told()}, {self._significance()}, {self.terms.tuning}."
            f"{self._alone()}{self._unseen()}{self._divergences()}"
        )

    def plain(self) -> dict[str, Any]:
        """Everything as JSON can hold it; what is infinite or unknown is None."""
        numbers = {name: value for name, value in asdict(self).items() if name != "terms"}
        numbers["paired"]["better"]["estimate"] = self.paired.better.estimate
        told = {"seeds": self.seeds, "enough": self.enough, "differs": self.differs, "words": self.words()}
        plain: dict[str, Any] = finite({**numbers, **told})
        return plain

    def _names(self) -> str:
        return f"{self.first} and {self.second}"

    def _counted(self, count: int) -> str:
        return counted(count, self.terms.unit)

    def _told(self) -> str:
        """The difference with its interval, and how many seeds went which way."""
        ties = f" ({self.paired.tied} tied)" if self.paired.tied else ""
        ahead = f"{self.first} ahead on {self.paired.won} of {self._counted(self.seeds)}{ties}"
        interval = self.lead
        bounds = f" [{number(interval.low)}, {number(interval.high)}] (level {100 * interval.level:.1f} %)"
        estimate = "unknown" if math.isnan(interval.estimate) else number(interval.estimate)
        return f"typical difference {estimate}{bounds if interval.level else ''}, {ahead}"

    def _significance(self) -> str:
        over = f" over {self.pairs} pairs" if self.pairs > 1 else ""
        return f"p {p_text(self.adjusted)}{over}"

    def _alone(self) -> str:
        if self.p > self.alpha:
            return ""
        return f" Looked at alone it would have p {p_text(self.p)}, but it is one of {self.pairs} pairs."

    def _unseen(self) -> str:
        if self.paired.tied == self.seeds:
            return ""
        if math.isinf(self.detectable):
            return " How small a difference could have been seen cannot be said, since runs diverged."
        return f" Only a difference of {number(self.detectable)} or more would have been seen in 4 of 5 such studies."

    def _divergences(self) -> str:
        of = self._counted(self.seeds)
        told = [
            f"{name} on {count} of {of}"
            for name, count in zip((self.first, self.second), self.diverged, strict=True)
            if count
        ]
        return f" Diverged: {', '.join(told)}." if told else ""


def too_few(comparison: Comparison) -> str:
    """Why there is no verdict."""
    pairs = f"over {comparison.pairs} pairs" if comparison.pairs > 1 else "on a pair"
    are = "is" if comparison.seeds == 1 else "are"
    given = counted(comparison.seeds, comparison.terms.unit)
    return f"{given} {are} too few for a verdict {pairs}: {comparison.seeds_needed} are needed."


def p_text(p: float) -> str:
    """A p-value with its sign of equality.

    >>> p_text(0.0293), p_text(0.00001), p_text(1.0)
    ('= 0.029', '< 0.001', '= 1')
    """
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"
