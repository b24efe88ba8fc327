"""What a runner is given to do, and what a runner is."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field

from fallline.problems import Prepared
from fallline.study.checkpoints import Checkpoints
from fallline.study.plan import PlannedPopulation
from fallline.study.watcher import Watcher
from fallline.training import Budget, Member, Trained


@dataclass(frozen=True)
class Work:
    """Cohorts to train, on which problems and for how long; with how many threads or processes, where their progress
    is kept, and who is told.
    """

    problems: Mapping[str, Prepared]
    budget: Budget
    seed: int
    cohorts: Sequence[Sequence[Member]]
    threads: int
    checkpoints: Checkpoints
    watcher: Watcher
    planned: PlannedPopulation | None = None
    """How the cohort of a population is trained."""
    compaction: list[tuple[int, int]] = field(default_factory=list)
    """Where a population tells at which steps members left, and how many stayed."""

    reasons: list[str] = field(default_factory=list)
    """Where a population tells why its members trained one by one after all."""

    def ticks(self, cohort: Sequence[Member]) -> Callable[[int], None]:
        """What is called with the number of updates that each member of a cohort has had; the watcher is told."""
        before = 0

        def tick(done: int) -> None:
            nonlocal before
            self.watcher.advance((done - before) * len(cohort))
            before = done

        return tick


Runner = Callable[[Work], Generator[Sequence[Trained], None, None]]
"""Trains the cohorts of a work in any order, and gives each back as it ends. Closing the generator ends it at once."""


def told(cohort: Sequence[Member]) -> str:
    """A cohort in words, for messages."""
    return " and ".join(map(_told, cohort))


def _told(member: Member) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in member.hyperparameters.items())
    return f"{member.optimizer} ({settings}), seed {member.seed}, on {member.problem}"
