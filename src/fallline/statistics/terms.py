"""What was measured, and how the values were chosen: what every sentence of a verdict needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fallline.phrases import counted, listed


@dataclass(frozen=True)
class Terms:
    """The metric in words, which way is better, the trials of each optimizer's search, and whether it was repeated.

    `trials` is None where nothing was tuned, and by name where not all optimizers had the same. With `search_repeated`
    every result is that of a search of its own, so the verdict is about optimizers *with* their tuning; otherwise it
    holds as tuned here, and says so.
    """

    metric: str = "loss"
    higher_is_better: bool = False
    trials: int | Mapping[str, int] | None = None
    search_repeated: bool = False

    def among(self, names: Sequence[str]) -> "Terms":
        """The same of some of the optimizers alone."""
        if not isinstance(self.trials, Mapping):
            return self
        own = {name: self.trials[name] for name in names}
        counts = set(own.values())
        return replace(self, trials=own if len(counts) > 1 else None if counts == {1} else counts.pop())

    @property
    def better(self) -> str:
        """What the better of two has."""
        return f"{'higher' if self.higher_is_better else 'lower'} {self.metric}"

    @property
    def unit(self) -> str:
        """What there is one result of."""
        return "repeat" if self.search_repeated else "seed"

    @property
    def tuning(self) -> str:
        """How far a statement reaches, to be read on after a comma.

        >>> Terms(trials=9).tuning
        'as tuned here with 9 trials each'
        >>> Terms(trials=9, search_repeated=True).tuning
        'each repeat with searches of its own, of 9 trials'
        >>> Terms(trials={"SGD": 1, "Adam": 9, "Lion": 9}).tuning
        'as tuned here with 9 trials each, but SGD 1'
        """
        if self.trials is None:
            return "each repeat with searches of its own" if self.search_repeated else "at the values given"
        if isinstance(self.trials, Mapping):
            told, each = _unequal(self.trials), ""
        else:
            told, each = counted(self.trials, "trial"), " each"
        if self.search_repeated:
            return f"each repeat with searches of its own, of {told}"
        return f"as tuned here with {told}{each}"


def _unequal(trials: Mapping[str, int]) -> str:
    """How many trials each had, most of them the same."""
    if len(trials) == 2:
        (first, many), (second, few) = sorted(trials.items(), key=lambda item: -item[1])
        return f"{counted(many, 'trial')} of {first} and {few} of {second}"
    usual = max(trials.values(), key=lambda count: (list(trials.values()).count(count), count))
    others = listed(f"{name} {count}" for name, count in trials.items() if count != usual)
    return f"{counted(usual, 'trial')} each, but {others}"
