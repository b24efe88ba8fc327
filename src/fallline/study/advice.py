"""What to try next, from what a study found."""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from fallline.protocol import TRIALS
from fallline.study.defaults import DEFAULT_BATCH_SIZE
from fallline.study.results import StudyResults
from fallline.study.specification import OptimizerSpecification, ProblemSpecification, Specification
from fallline.study.target import Target
from fallline.study.values import spelled

CLOSER = 3.0
MORE = 2
"""How many times as many reruns a verdict is asked for again with."""


def next_command(results: StudyResults) -> str | None:
    """A command that looks closer at the best two optimizers: rates around the best found, and reruns for a verdict,
    twice as many where there were some, on seeds that had no part in finding the two; all else as it was.

    None where nothing was found to look closer at, or where the study cannot be named on a command line.
    """
    spec = results.specification
    first = spec.problems[0].name
    rows = [row for row in results.ranking if row.problem == first and math.isfinite(row.score)]
    best = {row.optimizer: row for row in reversed(rows)}
    labels = list(dict.fromkeys(row.optimizer for row in rows))[:2]
    optimizers = [next(o for o in spec.optimizers if o.label == label) for label in labels]
    sources = [p.source for p in spec.problems] + [o.source for o in optimizers]
    if not labels or None in sources:
        return None
    words = ["fallline", "compare", *map(_problem, spec.problems)]
    alone = len(optimizers) == 1
    for optimizer in optimizers:
        words += ["-o", _optimizer(optimizer, best[optimizer.label].hyperparameters)]
    winner = best[labels[0]]
    # A factor of another problem has no value in the first one's winner.
    found = {name: value for row in reversed(results.ranking) for name, value in row.factors.items()} | dict(
        winner.factors
    )
    # Of one optimizer its conditions are compared.
    kept = {name: values if alone else (found[name],) for name, values in spec.factors.items()}
    words += [word for name, own in kept.items() for word in ("--vary", f"{name}={','.join(map(_word, own))}")]
    schedules = spec.schedules if alone else (winner.schedule,)
    words += [word for name in schedules if schedules != ("constant",) for word in ("--schedule", name)]
    if winner.batch_size not in (None, spec.problems[0].batch_size or DEFAULT_BATCH_SIZE):
        words += ["--batch-size", str(winner.batch_size)]
    return shlex.join([*words, *_options(results, labels)])


def _can_be_met(problem: ProblemSpecification, labels: Sequence[str]) -> bool:
    """Whether its target is a value, or the result of one of the optimizers that the command compares."""
    return problem.target is None or Target.parse(problem.target).baseline in (None, *labels)


def _problem(problem: ProblemSpecification) -> str:
    options = ",".join(f"{name}={value}" for name, value in problem.options.items())
    return f"{problem.source}:{options}" if options else str(problem.source)


def _optimizer(optimizer: OptimizerSpecification, found: Mapping[str, Any]) -> str:
    words = []
    for name in optimizer.hyperparameters:
        value = found[name]
        if name == "lr" and isinstance(value, float):
            words.append(f"lr={value / CLOSER:.3g}..{value * CLOSER:.3g}")
        else:
            words.append(f"{name.removeprefix('l2.')}={_word(value)}")
    source = str(optimizer.source)
    return f"{source}:{','.join(words)}" if words else source


def _word(value: Any) -> str:
    return spelled(value).replace(" ", "")


def _options(results: StudyResults, labels: Sequence[str]) -> list[str]:
    spec = results.specification
    targets = {p.target for p in spec.problems}
    met = all(row.steps_to_target is not None for row in results.ranking)
    # A sweep's seeds were its repeats; those of the command's search are another thing.
    searched = spec.protocol == "full" and spec.seeds != Specification.model_fields["seeds"].default
    given = {
        "--epochs": spec.epochs,
        "--steps": spec.steps,
        "--evaluate-every": spec.evaluate_every,
        "--final-seeds": MORE * spec.final_seeds if spec.protocol == "full" else None,
        "--search": None if spec.search == "grid" else spec.search,
        "--trials": None if spec.trials == TRIALS else spec.trials,
        "--tuning-repeats": None if spec.tuning_repeats == 1 else spec.tuning_repeats,
        "--seeds": spec.seeds if searched else None,
        "--extra-trials": spec.extra_trials or None,
        "--seed": spec.seed + 1 if spec.protocol == "full" else spec.seed or None,
        # Rates are to be chosen: where nothing was held out before, the default is.
        "--validation": spec.validation or None,
        "--order": None if spec.order == "reshuffle" else spec.order,
        "--target": spec.problems[0].target
        if met and len(targets) == 1 and _can_be_met(spec.problems[0], labels)
        else None,
        "--diagnostics": None if spec.diagnostics == "none" else spec.diagnostics,
        "--penalise": None if spec.penalise == "weights" else spec.penalise,
        "--device": None if spec.device == "cpu" else spec.device,
        "--data-dir": results.environment.get("data_dir"),
    }
    return [word for option, value in given.items() if value is not None for word in (option, str(value))]
