"""What to try next, from what a study found."""

import shlex

from fallline.study.results import StudyResults

CLOSER = 3.0
SEEDS = 10


def next_command(results: StudyResults) -> str | None:
    """A command that looks closer at the best two optimizers: rates around the best found, with ten seeds.

    None where the study's problem cannot be loaded by name.
    """
    spec = results.specification
    rows = [row for row in results.ranking if row.problem == spec.problems[0].name]
    sources = {optimizer.label: optimizer.source for optimizer in spec.optimizers}
    problem = spec.problems[0]
    if problem.source is None or any(sources.get(row.optimizer) is None for row in rows[:2]):
        return None
    options = ",".join(f"{name}={value}" for name, value in problem.options.items())
    words = ["fallline", "compare", f"{problem.source}:{options}" if options else problem.source]
    for row in rows[:2]:
        source = str(sources[row.optimizer])
        lr = row.hyperparameters.get("lr")
        if isinstance(lr, float):
            source += f":lr={lr / CLOSER:.3g}..{lr * CLOSER:.3g}"
        words += ["-o", source]
    words += ["--epochs", str(spec.epochs)] if spec.epochs else ["--steps", str(spec.steps)]
    if results.environment.get("data_dir"):
        words += ["--data-dir", str(results.environment["data_dir"])]
    return shlex.join([*words, "--seeds", str(SEEDS)])
