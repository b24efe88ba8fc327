"""The runner `population`: a cohort as one program, in this process."""

from collections.abc import Generator, Sequence

from fallline.cohorts import train_population
from fallline.study.loop import threads
from fallline.study.work import Work
from fallline.training import Trained


def population(work: Work) -> Generator[Sequence[Trained], None, None]:
    """Train the cohort of a work as it is planned, torch using its threads inside."""
    planned = work.planned
    assert planned is not None
    with threads(work.threads):
        for cohort in work.cohorts:
            kept = work.checkpoints.of(cohort, work.watcher.say)
            try:
                yield train_population(
                    cohort,
                    work.problems[cohort[0].problem],
                    work.budget,
                    work.seed,
                    work.ticks(cohort),
                    kept,
                    planned.compiled,
                    planned.costs,
                    lambda step, left: work.compaction.append((step, left)),
                )
            except Exception as error:
                error.add_note(f"This came up while {len(cohort)} members on {cohort[0].problem} trained together.")
                raise
