"""How fast an optimizer makes its steps, measured apart from the runs that say how good it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fallline.plain import finite
from fallline.statistics import MedianInterval, median_interval
from fallline.study.record import key

TIMED = ("problem", "optimizer", "hyperparameters", "factors", "schedule", "batch_size")
"""What of a member's description its speed belongs to."""


@dataclass(frozen=True)
class Speed:
    """The seconds of a step of one setting trained alone, reading its batch included and evaluations not.

    `seconds` has a number for each round, the mean of `steps` steps; the rounds of all settings took turns. `first` is
    what the first step took, preparation and compilation included, `threads` how many torch used on this `machine`.
    """

    description: Mapping[str, Any]
    seconds: tuple[float, ...]
    first: float
    steps: int
    threads: int
    machine: str

    @cached_property
    def key(self) -> str:
        """The digest of the setting."""
        return key(self.description)

    @cached_property
    def interval(self) -> MedianInterval:
        """The median of the seconds of a step over the rounds, with its interval."""
        return median_interval(self.seconds)

    def to_json(self) -> dict[str, Any]:
        """The speed as `--json` prints it."""
        told: dict[str, Any] = finite(
            {
                "seconds_a_step": vars(self.interval),
                "rounds": len(self.seconds),
                "steps_a_round": self.steps,
                "first_step": self.first,
                "threads": self.threads,
                "machine": self.machine,
            }
        )
        return told


def timed(owner: Any) -> dict[str, Any]:
    """The part of a description that a speed belongs to, of a record, or of anything that has these entries."""
    return {name: owner[name] for name in TIMED}
