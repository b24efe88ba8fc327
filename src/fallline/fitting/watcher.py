"""Who wants to know how a fit gets on."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


@runtime_checkable
class FitWatcher(Protocol):
    """Somebody who wants to know how a fit gets on."""

    def begin(self, steps: int, steps_per_epoch: int, done: int) -> None:
        """The training begins, or goes on: the steps in all, and those done before."""

    def advance(self, done: int) -> None:
        """So many steps are done."""

    def evaluated(self, row: Mapping[str, float], rate: float | None) -> None:
        """What an evaluation recorded, and the learning rate."""

    def say(self, message: str) -> None:
        """Something the user should know."""

    def close(self) -> None:
        """The training is over, whether it ended, failed or was interrupted."""


class Silent:
    """A watcher that does not care."""

    def begin(self, steps: int, steps_per_epoch: int, done: int) -> None:
        """Nothing."""

    def advance(self, done: int) -> None:
        """Nothing."""

    def evaluated(self, row: Mapping[str, float], rate: float | None) -> None:
        """Nothing."""

    def say(self, message: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
