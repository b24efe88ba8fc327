"""How a member ended."""

from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    """The ways in which a training ends; a failed training is a result, not an error."""

    FINISHED = "finished"
    STOPPED = "stopped"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Outcome:
    """The ending, the step at which it came, and the cause where there is one to name.

    With early stopping, `restored` is the step of the least validation loss, whose weights are the training's.
    """

    ending: Ending
    step: int
    cause: str | None = None
    restored: int | None = None

    @property
    def diverged(self) -> bool:
        """Whether the loss or the parameters became non-finite, or the loss far above its start."""
        return self.ending is Ending.DIVERGED
