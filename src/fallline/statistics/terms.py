"""What was measured, and how the values were chosen: what every sentence of a verdict needs."""

from dataclasses import dataclass

from fallline.phrases import counted


@dataclass(frozen=True)
class Terms:
    """The metric in words, which way is better, the trials of each optimizer's search, and whether it was repeated.

    `trials` is None where nothing was tuned. With `search_repeated` every result is that of a search of its own, so the
    verdict is about optimizers *with* their tuning; otherwise it holds as tuned here, and says so.
    """

    metric: str = "loss"
    higher_is_better: bool = False
    trials: int | None = None
    search_repeated: bool = False

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
        """
        trials = "" if self.trials is None else counted(self.trials, "trial")
        if self.search_repeated:
            return f"each repeat with searches of its own{f', of {trials}' if trials else ''}"
        return f"as tuned here with {trials} each" if trials else "at the values given"
