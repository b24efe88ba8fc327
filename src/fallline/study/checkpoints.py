"""The checkpoints of a study: one file for each cohort in training, under `checkpoints/` in its folder."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from fallline.plain import canonical
from fallline.study.environment import PACKAGES
from fallline.study.record import describe, key
from fallline.training import Member
from fallline.training.cohort_checkpoint import EVERY, CohortCheckpoint

_VERSIONS = ("fallline", "python", *PACKAGES)


@dataclass(frozen=True)
class Checkpoints:
    """Where the cohorts of one study are kept; what is kept belongs to this study, plan and versions alone.

    Plain values throughout, so that other processes can be given it.
    """

    folder: Path
    identity: Mapping[str, Any]
    every: float

    @classmethod
    def of_study(
        cls, folder: Path, study: str, plan: Mapping[str, Any], environment: Mapping[str, Any]
    ) -> "Checkpoints":
        """Those in the folder of the study with this digest."""
        identity = {
            "study": study,
            "code": environment["digests"]["code"]["fallline"],
            **{name: environment.get(name) for name in _VERSIONS},
            **{name: plan[name] for name in ("runner", "device", "threads")},
        }
        return cls(folder / "checkpoints", identity, EVERY)

    def of(self, cohort: Sequence[Member], say: Callable[[str], None]) -> CohortCheckpoint:
        """That of a cohort."""
        identity = {**self.identity, "members": [key(describe(member)) for member in cohort]}
        return CohortCheckpoint(self._path(cohort), identity, say, self.every)

    def has(self, cohort: Sequence[Member]) -> bool:
        """Whether something of a cohort is kept."""
        return self._path(cohort).is_file()

    def keep_only(self, cohorts: Iterable[Sequence[Member]]) -> None:
        """Delete the checkpoints of all but these cohorts, and the folder if none is left."""
        kept = {self._path(cohort) for cohort in cohorts}
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if path not in kept:
                path.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _path(self, cohort: Sequence[Member]) -> Path:
        members = canonical([key(describe(member)) for member in cohort])
        return self.folder / f"{blake2b(members.encode(), digest_size=12).hexdigest()}.safetensors"
