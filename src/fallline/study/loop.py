"""The runner `loop`: cohorts one after another, in this process."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

import torch

from fallline.study.work import Work, told
from fallline.training import Trained, train_cohort


def loop(work: Work) -> Generator[Sequence[Trained], None, None]:
    """Train the cohorts of a work one after another, torch using its threads inside."""
    with threads(work.threads):
        for cohort in work.cohorts:
            kept = work.checkpoints.of(cohort, work.watcher.say)
            problem = work.problems[cohort[0].problem]
            try:
                trained = train_cohort(cohort, problem, work.budget, work.seed, work.ticks(cohort), kept)
            except Exception as error:
                error.add_note(f"This came up while training {told(cohort)}.")
                raise
            yield trained


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use so many threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
