"""What is checked of a study before it is planned: batch sizes, search and targets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from fallline.arguments import whole
from fallline.errors import InputError, WrongArgument
from fallline.problems import Prepared
from fallline.study.contenders import Contender
from fallline.study.defaults import DEFAULT_BATCH_SIZE
from fallline.study.direction import known_direction
from fallline.study.named import NamedProblem
from fallline.study.specification import ProblemSpecification, Specification
from fallline.study.target import Target, refuse_several_baselines
from fallline.training.treatments import TREATMENTS


def checked_batch_sizes(problems: Sequence[NamedProblem], given: Sequence[Any] | None) -> Sequence[Any]:
    """The batch sizes, each once, or the default. Raises InputError for what is none and where loaders have theirs."""
    loaders = [p.name for p in problems if isinstance(p.problem.train, torch.utils.data.DataLoader)]
    if loaders and given is not None and any(size is not None for size in given):
        raise InputError(
            f"The training data of {loaders[0]} is a DataLoader, whose own batch size stands; give no batch size."
        )
    for size in given or ():
        # None is what a study of loaders alone has.
        if size is not None or len(loaders) < len(problems):
            whole("batch_sizes", size, 1)
    return (DEFAULT_BATCH_SIZE,) if given is None else tuple(dict.fromkeys(given))


def check_search(spec: Specification, contenders: Sequence[Contender]) -> None:
    """Raise InputError where a search is described that would not be made."""
    if spec.search != "grid" and not any(c.ranges for c in contenders):
        raise InputError(
            f"search {spec.search!r} draws values from ranges, and no optimizer here has one: write lr=LOW..HIGH, or "
            "leave its values to its own range."
        )
    fixed = all(len(c.searched(spec.search, spec.trials, spec.seed)) == 1 for c in contenders)
    for name, without in {"tuning_repeats": 1, "extra_trials": 0}.items():
        if fixed and getattr(spec, name) != without:
            raise WrongArgument(
                (name, " asks for more of a search, and nothing is searched: every optimizer has one setting")
            )


def check_batches(spec: Specification, problems: Mapping[str, Prepared]) -> None:
    """Raise InputError for batches larger than the data."""
    for name, prepared in problems.items():
        for size in spec.batch_sizes:
            if prepared.train.rows is not None and size is not None and size > prepared.train.rows:
                raise InputError(f"batch size {size} is larger than the {prepared.train.rows} training rows of {name}.")


def check_target(problem: ProblemSpecification, prepared: Prepared, spec: Specification) -> None:
    """Raise InputError for a target that nobody can meet, or everybody does."""
    if problem.target is not None:
        splits = [name for name in ("train", "validation", "test") if name in prepared.rows]
        known = [f"{split}_{quantity}" for split in splits for quantity in prepared.objective.names]
        own = problem.target == prepared.problem.target
        target = Target.parse(problem.target, None if own else known, [o.label for o in spec.optimizers])
        taken = {*prepared.problem.all_factors(), *TREATMENTS}
        factors = {name: values for name, values in spec.factors.items() if name in taken}
        if target.at_least == (known_direction(target.quantity) == "less") and known_direction(target.quantity):
            right = replace(target, at_least=not target.at_least)
            better = "less" if target.at_least else "more"
            raise InputError(f"Of {target.quantity} {better} is better, so a target is {right}; got {target}.")
        refuse_several_baselines(target, {**factors, "schedule": spec.schedules, "batch size": spec.batch_sizes})
