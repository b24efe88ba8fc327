"""Who is told how a study gets on."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from fallline.study.record import Record


@runtime_checkable
class Watcher(Protocol):
    """Somebody who wants to know how a study gets on."""

    def begin(self, members: int, ended: Sequence[Record], steps: int) -> None:
        """The study begins, or goes on: all members, those already ended, steps still to do.

        Called again where there is more to do than was known: every optimizer gets more trials.
        """

    def advance(self, steps: int) -> None:
        """Some steps were done by one member."""

    def end(self, record: Record, steps_left: int) -> None:
        """A member has ended; it left this many of its steps undone."""

    def say(self, message: str) -> None:
        """Something the user should know."""

    def close(self) -> None:
        """The run is over, whether it finished, failed or was interrupted."""


class Silent:
    """A watcher that does not care."""

    def begin(self, members: int, ended: Sequence[Record], steps: int) -> None:
        """Nothing."""

    def advance(self, steps: int) -> None:
        """Nothing."""

    def end(self, record: Record, steps_left: int) -> None:
        """Nothing."""

    def say(self, message: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
