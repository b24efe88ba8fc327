"""The runner `population`: a cohort as one program, in this process."""

from collections.abc import Generator, Sequence
from dataclasses import replace

from fallline.cohorts import CannotMap, train_population
from fallline.study.loop import loop, threads
from fallline.study.work import Work
from fallline.training import Member, Trained


def population(work: Work) -> Generator[Sequence[Trained], None, None]:
    """Train the cohort of a work as it is planned, torch using its threads inside.

    Where it turns out on the way that its members cannot be mapped, those of each seed train in the loop, from the
    start.
    """
    planned = work.planned
    assert planned is not None
    with threads(work.threads):
        for cohort in work.cohorts:
            kept = work.checkpoints.of(cohort, work.watcher.say)
            try:
                trained = train_population(
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
            except CannotMap as reason:
                trained = None
                told = f"{len(cohort)} members on {cohort[0].problem} begin anew, one by one: {reason}"
                work.watcher.say(f"{told}, which showed only now.")
                work.reasons.append(told)
            except Exception as error:
                error.add_note(f"This came up while {len(cohort)} members on {cohort[0].problem} trained together.")
                raise
            if trained is not None:
                yield trained
            else:
                kept.remove()
                yield from loop(replace(work, cohorts=by_seed(cohort), planned=None))


def by_seed(cohort: Sequence[Member]) -> list[list[Member]]:
    """Members that share their batches together."""
    return [[member for member in cohort if member.seed == seed] for seed in dict.fromkeys(m.seed for m in cohort)]
