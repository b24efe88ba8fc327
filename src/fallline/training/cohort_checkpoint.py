"""The checkpoint of a cohort in training: what of it is on disk if this process is killed now."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fallline.errors import InputError
from fallline.training.checkpoint import read_checkpoint, write_checkpoint

EVERY = 20.0
"""Seconds between two checkpoints of a cohort, so that with a step and the writing itself less than 30 are lost."""


class CohortCheckpoint:
    """The one file in which whoever trains a cohort keeps its progress.

    Call `load` once before the first step, `due` behind every step, and where it says so `save` with a tree that
    `fallline.training.checkpoint` can hold. What is in the tree is the trainer's own affair. Whoever writes down the
    members that have ended calls `remove` afterwards.

    `identity`, in plain values, says what the progress belongs to: members, study, plan, versions. A file with another
    identity, and one that is damaged, is not used; `say` tells the user. Where progress cannot be kept, `drop` ends the
    keeping: the cohort trains on, and would begin anew if it were interrupted.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "cohort.safetensors"
    >>> CohortCheckpoint(path, {"members": ["a"]}).save({"step": 3})
    >>> CohortCheckpoint(path, {"members": ["a"]}).load()
    {'step': 3}
    >>> CohortCheckpoint(path, {"members": ["b"]}, say=lambda told: print(told.partition(": ")[2])).load()
    it belongs to another study, plan or version. Its members begin anew.
    >>> folder.cleanup()
    """

    def __init__(
        self,
        path: Path,
        identity: Mapping[str, Any],
        say: Callable[[str], None] = lambda message: None,
        every: float = EVERY,
    ) -> None:
        self.path = path
        self.identity = dict(identity)
        self._say = say
        self._every = every
        self._written = time.monotonic()
        self._dropped = False

    def load(self) -> Any:
        """The tree that was saved last; None where there is none that can be used. The clock begins anew."""
        self._written = time.monotonic()
        if not self.path.is_file():
            return None
        try:
            found = read_checkpoint(self.path)
        except InputError:
            return self._unused("it is damaged")
        if not isinstance(found, dict) or found.get("identity") != self.identity:
            return self._unused("it belongs to another study, plan or version")
        return found["progress"]

    def due(self) -> bool:
        """Whether the last checkpoint is old enough for the next; never after `drop`."""
        return not self._dropped and time.monotonic() - self._written >= self._every

    def save(self, tree: Any) -> None:
        """Write the tree in place of the last, whole or not at all. Raises MachineError where the disk fails."""
        try:
            write_checkpoint(self.path, {"identity": self.identity, "progress": tree})
        except InputError as error:
            self.drop(str(error))
        self._written = time.monotonic()

    def drop(self, reason: str) -> None:
        """Keep nothing of this cohort any more, because of a reason, a sentence that the user is told."""
        self._dropped = True
        self.remove()
        self._say(f"{reason.rstrip('.')}. If this study is interrupted, members in training would begin anew.")

    def remove(self) -> None:
        """Delete the file: the members have ended and are written down."""
        self.path.unlink(missing_ok=True)

    def _unused(self, reason: str) -> None:
        self._say(f"The checkpoint {self.path} is not used: {reason}. Its members begin anew.")
