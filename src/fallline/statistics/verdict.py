"""The verdict: what the statistics allow one to say about several optimizers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from fallline.errors import InputError, WrongArgument
from fallline.phrases import listed
from fallline.statistics.comparison import Comparison, too_few
from fallline.statistics.detectable import detectable_difference
from fallline.statistics.paired import differences, paired
from fallline.statistics.sample import Numbers, sample
from fallline.statistics.seeds_needed import seeds_needed
from fallline.statistics.signed_rank import SignedRank, signed_rank_test
from fallline.statistics.signed_rank_interval import signed_rank_interval
from fallline.statistics.step_down import step_down
from fallline.statistics.terms import Terms
from fallline.suggestions import unknown


@dataclass(frozen=True)
class Verdict:
    """All pairs of some optimizers, judged together with one error rate alpha."""

    optimizers: tuple[str, ...]
    seeds: int
    seeds_needed: int
    alpha: float
    terms: Terms
    comparisons: tuple[Comparison, ...]

    @property
    def enough(self) -> bool:
        """Whether there are enough seeds for a verdict."""
        return self.seeds >= self.seeds_needed

    @property
    def unbeaten(self) -> tuple[str, ...]:
        """The optimizers that no other is shown to be better than."""
        beaten = {pair.second for pair in self.comparisons if pair.differs}
        return tuple(name for name in self.optimizers if name not in beaten)

    @property
    def best(self) -> str | None:
        """The optimizer that is shown to be better than each of the others, if there is one."""
        wins = [pair.first for pair in self.comparisons if pair.differs]
        return next((name for name in self.optimizers if wins.count(name) == len(self.optimizers) - 1), None)

    def between(self, one: str, other: str) -> Comparison:
        """The comparison of two of the optimizers. Raises InputError for a name that is none of theirs."""
        for name in (one, other):
            if name not in self.optimizers:
                raise InputError(unknown(name, self.optimizers, "optimizer of this verdict"))
        if one == other:
            raise InputError(f"A comparison is between two optimizers; got {one} twice.")
        return next(pair for pair in self.comparisons if {pair.first, pair.second} == {one, other})

    def words(self) -> str:
        """What can be said over all of them, in one or two sentences."""
        if len(self.comparisons) == 1 or not self.enough:
            return self.comparisons[0].words() if len(self.comparisons) == 1 else too_few(self.comparisons[0])
        reach = f"at {self.seeds} {self.terms.unit}s, {self.terms.tuning}"
        if self.best is not None:
            return (
                f"{self.best} reaches {self.terms.better} than each of the {len(self.optimizers) - 1} others {reach}."
            )
        if not any(pair.differs for pair in self.comparisons):
            return f"No evidence of any difference in {self.terms.metric} among {listed(self.optimizers)} {reach}."
        ahead, beaten = self.unbeaten, [name for name in self.optimizers if name not in self.unbeaten]
        none = f"none of the others is shown to reach {self.terms.better} {reach}"
        if len(ahead) > 1:
            return f"{listed(ahead)} are not told apart, and {none}. Beaten by one or more: {listed(beaten)}."
        apart = [name for name in beaten if not self.between(ahead[0], name).differs]
        return f"{ahead[0]} is beaten by none: {none}. Not told apart from it: {listed(apart)}."

    def plain(self) -> dict[str, Any]:
        """Everything as JSON can hold it."""
        return {
            **asdict(self.terms),
            "optimizers": list(self.optimizers),
            "seeds": self.seeds,
            "seeds_needed": self.seeds_needed,
            "enough": self.enough,
            "alpha": self.alpha,
            "best": self.best,
            "unbeaten": list(self.unbeaten),
            "words": self.words(),
            "comparisons": [pair.plain() for pair in self.comparisons],
        }


def verdict(
    results: Mapping[str, Sequence[float] | Numbers], terms: Terms | None = None, alpha: float = 0.05
) -> Verdict:
    """Judge all pairs of optimizers, given each one's results on the same seeds in the same order.

    Results that are NaN or infinite are of diverged runs: the worst there is, and ties among themselves. Results must
    come from runs that took no part in choosing the values. Where the search was repeated, one number for each repeat
    (the median of its seeds) is a result; giving the seeds of one search as repeats would count one choice many times.

    Raises InputError for fewer than two optimizers and for unequal numbers of results.

    >>> adam = [0.10, 0.12, 0.09, 0.11, 0.13, 0.08]
    >>> found = verdict({"SGD": [loss + 0.05 for loss in adam], "Adam": adam}, Terms("test loss", trials=9))
    >>> print(found.words())
    Adam reaches lower test loss than SGD: typical difference 0.0500 [0.0500, 0.0500] (level 96.9 %), Adam ahead on 6 \
of 6 seeds, p = 0.031, as tuned here with 9 trials each.
    >>> print(verdict({"SGD": [0.2, 0.3], "Adam": [0.1, 0.1]}).words())
    2 seeds are too few for a verdict on a pair: 6 are needed. Adam and SGD: typical difference 0.150 [0.100, 0.200] \
(level 50.0 %), Adam ahead on 2 of 2 seeds.
    """
    terms = terms or Terms()
    runs = {name: sample(f"results of {name}", values, terms.higher_is_better) for name, values in results.items()}
    lengths = {name: len(values) for name, values in runs.items()}
    if len(runs) < 2:
        raise WrongArgument(("results", f" must be of two optimizers or more; got {len(runs)}"))
    if len(set(lengths.values())) > 1:
        told = listed(f"{count} of {name}" for name, count in lengths.items())
        raise WrongArgument(("results", f" must be as many for every optimizer, one for each seed; got {told}"))
    pairs = list(combinations(runs, 2))
    tests = [signed_rank_test(differences(runs[one], runs[other])) for one, other in pairs]
    needed = seeds_needed(len(runs), alpha)
    adjusted = step_down([test.p for test in tests], len(runs))
    comparisons = tuple(
        _comparison(runs, pair, test, float(p), len(pairs), alpha, needed, terms)
        for pair, test, p in zip(pairs, tests, adjusted, strict=True)
    )
    return Verdict(tuple(runs), next(iter(lengths.values())), needed, alpha, terms, comparisons)


def _comparison(
    runs: Mapping[str, Numbers],
    pair: tuple[str, str],
    test: SignedRank,
    adjusted: float,
    pairs: int,
    alpha: float,
    needed: int,
    terms: Terms,
) -> Comparison:
    first, second = pair if test.negative >= test.positive else pair[::-1]
    lead = differences(runs[second], runs[first])
    return Comparison(
        first=first,
        second=second,
        lead=signed_rank_interval(lead, 1 - alpha),
        p=test.p,
        adjusted=adjusted,
        pairs=pairs,
        alpha=alpha,
        paired=paired(runs[first], runs[second], 1 - alpha),
        detectable=detectable_difference(lead, pairs, alpha),
        diverged=(int(np.isinf(runs[first]).sum()), int(np.isinf(runs[second]).sum())),
        seeds_needed=needed,
        terms=terms.among((first, second)),
    )
