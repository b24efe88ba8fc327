"""A study as the text of a study file."""

from typing import Any

import tomlkit

from fallline.errors import FalllineError
from fallline.protocol import TRIALS
from fallline.study.parsing import contender
from fallline.study.specification import OptimizerSpecification, ProblemSpecification, Specification


def study_toml(spec: Specification) -> str:
    """The study file that makes a specification again, equal to the last bit.

    What was made in Python has no name to be found by: it is written with its label, and a comment says so.

    >>> given = {"label": "adam", "source": "adam", "kind": "Adam", "hyperparameters": {"lr": [0.1]}}
    >>> cubic = {"name": "cubic", "source": "cubic"}
    >>> print(study_toml(Specification(problems=[cubic], optimizers=[given], epochs=2)))
    # fallline compare --study FILE.toml
    epochs = 2
    batch_sizes = [64]
    protocol = "sweep"
    seeds = 3
    seed = 0
    order = "reshuffle"
    <BLANKLINE>
    [[problems]]
    name = "cubic"
    <BLANKLINE>
    [[optimizers]]
    name = "adam"
    lr = 0.1
    <BLANKLINE>
    """
    sized = all(size is not None for size in spec.batch_sizes)
    told = {
        "epochs": spec.epochs,
        "steps": spec.steps,
        "batch_sizes": list(spec.batch_sizes) if sized else None,
        "protocol": spec.protocol,
        "seeds": spec.seeds,
        "final_seeds": None if spec.final_seeds == 10 else spec.final_seeds,
        "search": None if spec.search == "grid" else spec.search,
        "trials": None if spec.trials == TRIALS else spec.trials,
        "tuning_repeats": None if spec.tuning_repeats == 1 else spec.tuning_repeats,
        "extra_trials": spec.extra_trials or None,
        "seed": spec.seed,
        "order": spec.order,
        "validation": spec.validation,
        "evaluate_every": spec.evaluate_every,
        "losses_every": spec.losses_every,
        "schedules": None if spec.schedules == ("constant",) else list(spec.schedules),
        "penalise": None if spec.penalise == "weights" else spec.penalise,
        "diagnostics": None if spec.diagnostics == "none" else spec.diagnostics,
        "speed": spec.speed,
        "device": None if spec.device == "cpu" else spec.device,
        "vary": {name: _values(values) for name, values in spec.factors.items()} or None,
        "problems": [_problem(problem) for problem in spec.problems],
        "optimizers": [_optimizer(optimizer) for optimizer in spec.optimizers],
    }
    text = tomlkit.dumps({name: value for name, value in told.items() if value is not None})
    return "\n".join(["# fallline compare --study FILE.toml", *map(_comment, nameless(spec)), text])


def nameless(spec: Specification) -> list[str]:
    """The problems and optimizers of a study that were made in Python and cannot be found by name."""
    found = [(p.name, p.source) for p in spec.problems] + [(o.label, o.source) for o in spec.optimizers]
    return [name for name, source in found if source is None or source.startswith("__main__:")]


def _comment(name: str) -> str:
    return (
        f"# {' '.join(name.split())} was made in Python: this file cannot be run before it has a name to be found by."
    )


def _problem(problem: ProblemSpecification) -> dict[str, Any]:
    table: dict[str, Any] = {"name": problem.source or problem.name}
    if problem.target_asked:
        table["target"] = problem.target
    if problem.options:
        table["options"] = {name: _plain(value) for name, value in problem.options.items()}
    return table


def _optimizer(optimizer: OptimizerSpecification) -> dict[str, Any]:
    name = optimizer.source or optimizer.label
    own = {_name(optimizer, key): _tried(optimizer, key) for key in optimizer.hyperparameters}
    table: dict[str, Any] = {"name": name}
    try:
        found = contender(name, None, own)
    except FalllineError:
        label, tuned = None, True
    else:
        label, tuned = found.label, not found.grid.keys() <= optimizer.hyperparameters.keys()
    if optimizer.label != label:
        table["label"] = optimizer.label
    if tuned:
        table["tune"] = False
    return table | {key: _values(values) for key, values in own.items()}


def _name(optimizer: OptimizerSpecification, key: str) -> str:
    """The name of a hyperparameter in a file: the decay that a rule was wrapped for is asked for as the rule's own."""
    return key.removeprefix("l2.") if key == "l2.weight_decay" and optimizer.source is not None else key


def _tried(optimizer: OptimizerSpecification, key: str) -> tuple[Any, ...]:
    """The values tried of a hyperparameter; a range as text."""
    if key in optimizer.ranges:
        return (_range(*optimizer.ranges[key]),)
    return optimizer.hyperparameters[key]


def _range(low: float, high: float) -> str:
    """A range as it is written, to the last bit.

    >>> _range(1e-5, 1.0)
    '1e-05..1.0'
    """
    return f"{low!r}..{high!r}"


def _values(values: tuple[Any, ...]) -> Any:
    """One value by itself, several as a list; a tuple is always inside a list, where it is one value."""
    plain = [_plain(value) for value in values]
    return plain[0] if len(plain) == 1 and not isinstance(plain[0], list) else plain


def _plain(value: Any) -> Any:
    return "none" if value is None else list(value) if isinstance(value, tuple) else value
