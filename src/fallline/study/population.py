"""The runner `population`: each cohort as one program, one cohort after another, in this process."""

from collections.abc import Generator, Sequence

from fallline.cohorts import train_population
from fallline.study.loop import threads
from fallline.study.work import Work
from fallline.training import Trained


def population(work: Work) -> Generator[Sequence[Trained], None, None]:
    """Train the cohorts of a work, each as one program, torch using its threads inside."""
    with threads(work.threads):
        for cohort in work.cohorts:
            kept = work.checkpoints.of(cohort, work.watcher.say)
            problem = work.problems[cohort[0].problem]
            try:
                yield train_population(
                    cohort, problem, work.budget, work.seed, work.ticks(cohort), kept, compiled=work.compiled
                )
            except Exception as error:
                error.add_note(f"This came up while {len(cohort)} members on {cohort[0].problem} trained together.")
                raise
