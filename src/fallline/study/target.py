"""A target: the condition whose first meeting is timed, such as `validation_accuracy>=0.95`."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fallline.errors import InputError, shown
from fallline.phrases import listed, number
from fallline.suggestions import unknown


@dataclass(frozen=True)
class Target:
    """A quantity of the curve that must reach a value from below or from above.

    Instead of a value there may be a `baseline`, the label of an optimizer: the value, None until it is known, is the
    median of that one's final values.

    >>> Target.parse("test_accuracy>=0.97").value
    0.97
    >>> Target.parse("test_loss<=sgd").baseline
    'sgd'
    """

    quantity: str
    at_least: bool
    value: float | None
    baseline: str | None = None

    @classmethod
    def parse(cls, text: str, known: Iterable[str] | None = None, labels: Iterable[str] | None = None) -> "Target":
        """The target that text describes; `known` are the quantities that are recorded, `labels` the optimizers.

        Raises InputError for what is no target, and for names that are not among those known.
        """
        match = isinstance(text, str) and re.fullmatch(r"\s*([A-Za-z_]\w*)\s*(>=|<=)\s*(.*?\S)\s*", text)
        if not match or ((value := _value(match.group(3))) is not None and not math.isfinite(value)):
            raise InputError(
                "A target is QUANTITY>=VALUE or QUANTITY<=VALUE, such as validation_accuracy>=0.95, or has the label "
                f"of an optimizer in the value's place: test_loss<=sgd; got {shown(text)}."
            )
        quantity, baseline = match.group(1), match.group(3)
        if known is not None and quantity not in (names := list(known)):
            raise InputError(unknown(quantity, names, "recorded quantity"))
        if value is None and labels is not None and baseline not in (names := list(labels)):
            raise InputError(f"The target {shown(text)}: {unknown(baseline, names, 'number and no optimizer')}")
        return cls(quantity, match.group(2) == ">=", value, baseline if value is None else None)

    def __str__(self) -> str:
        return f"{self.quantity}{'>=' if self.at_least else '<='}{self._goal}"

    @property
    def _goal(self) -> str:
        if self.baseline is None:
            return f"{self.value:g}"
        return self.baseline if self.value is None else f"{self.value:.6g}"


@dataclass(frozen=True)
class ResolvedTarget:
    """A target whose value is known, in words that say where it comes from; None where there is none, and why."""

    target: Target | None
    words: str

    def to_json(self) -> dict[str, Any]:
        """The target as `--json` prints it; its value is None where there is none."""
        found = self.target
        plain = {"quantity": None, "at_least": None, "value": None, "baseline": None} if found is None else vars(found)
        return {**plain, "words": self.words}


def resolved(asked: Target, baselines: Sequence[float]) -> ResolvedTarget:
    """A target with its value, given the median final value of each condition that its baseline was trained under."""
    if asked.baseline is None:
        return ResolvedTarget(asked, str(asked))
    told = f"the median of {asked.baseline}'s final values"
    if len(baselines) > 1:
        values = listed(map(number, baselines))
        return ResolvedTarget(None, f"{asked}: none, since {told} is another under each condition ({values})")
    if not baselines or not math.isfinite(baselines[0]):
        reason = f"most runs of {asked.baseline} diverged" if baselines else f"{asked.baseline} has not ended yet"
        return ResolvedTarget(None, f"{asked}: none, since {reason}")
    found = replace(asked, value=baselines[0])
    return ResolvedTarget(found, f"{found} ({told})")


def refuse_several_baselines(asked: Target, conditions: Mapping[str, Sequence[object]]) -> None:
    """Raise InputError where a target's baseline is trained under several conditions, given the values of each."""
    several = [f"{name} {' and '.join(map(shown, values))}" for name, values in conditions.items() if len(values) > 1]
    if asked.baseline is not None and several:
        raise InputError(
            f"The target {asked} takes its value from {asked.baseline}, which has several here: it is trained with "
            f"{listed(several)}. Give a number, or one condition."
        )


def _value(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
