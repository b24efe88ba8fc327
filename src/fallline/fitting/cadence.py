"""How often a training is checkpointed."""

import re
from dataclasses import dataclass
from typing import Any

from fallline.errors import InputError, shown

DEFAULT = "30s"
COST = 0.05
"""The share of the time that checkpoints at epoch ends may take."""


@dataclass(frozen=True)
class Cadence:
    """Every so many steps; or after so many seconds, and at every epoch's end where that takes little of the time.

    >>> Cadence.parse("2min").seconds, Cadence.parse(500).steps
    (120.0, 500)
    """

    text: str = DEFAULT
    seconds: float = 30.0
    steps: int | None = None

    @classmethod
    def parse(cls, given: Any) -> "Cadence":
        """The cadence that a number of steps or text such as `30s`, `5min` or `1h` describes; None is the default."""
        text = DEFAULT if given is None else str(given)
        match = None if isinstance(given, bool) else re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|)", text)
        if match is None or float(match[1]) <= 0 or (not match[2] and "." in match[1]):
            raise InputError(
                f"checkpoint_every must be a number of steps, or a time such as 30s, 5min or 1h; got {shown(given)}."
            )
        if not match[2]:
            return cls(text, steps=int(match[1]))
        return cls(text, float(match[1]) * {"s": 1, "min": 60, "h": 3600}[match[2]])

    def due(self, step: int, epoch_ends: bool, since: float, cost: float) -> bool:
        """Whether a checkpoint is due: `since` are the seconds since the last, `cost` those that it took."""
        if self.steps is not None:
            return step % self.steps == 0
        return since >= self.seconds or (epoch_ends and since * COST >= cost)
