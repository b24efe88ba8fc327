"""A problem made ready to train: data split and placed, checked before anything is trained."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from fallline.errors import InputError, describe_failure, shown
from fallline.problems.data import source
from fallline.problems.kept import Evaluated, Kept, batches_in, digest, keep
from fallline.problems.objective import Objective, rows
from fallline.problems.problem import Problem
from fallline.problems.sources import Loader, Resident, Source, permutation
from fallline.randomness import forked, seed_global

DEFAULT_VALIDATION = 0.2
TRAINING_ROWS_EVALUATED = 5_000


@dataclass(frozen=True)
class Prepared:
    """The splits of a problem on a device. `train_part` is what the training loss is measured on: all training
    rows, or 5,000 of them where there are more (a keyed choice; of a DataLoader batches spread over an epoch).
    """

    problem: Problem
    objective: Objective
    train: Source
    train_part: Evaluated
    validation: Evaluated | None
    test: Evaluated | None
    rows: Mapping[str, int | None]
    device: torch.device

    @property
    def evaluated(self) -> dict[str, Evaluated]:
        """What is evaluated, by split."""
        splits = {"train": self.train_part, "validation": self.validation, "test": self.test}
        return {name: split for name, split in splits.items() if split is not None}

    def sampled(self) -> "tuple[Prepared, float]":
        """The same, whose evaluations see the first batch alone of each split; and how many times as many rows those of
        all batches see.
        """
        first = {name: next(split.in_order()) for name, split in self.evaluated.items()}
        all_rows = sum(rows(first[name]) * batches_in(split) for name, split in self.evaluated.items())
        kept = {name: Kept([batch]) for name, batch in first.items()}
        part = replace(self, train_part=kept["train"], validation=kept.get("validation"), test=kept.get("test"))
        return part, all_rows / sum(map(rows, first.values()))

    @property
    def digests(self) -> dict[str, str]:
        """A digest of each split's content, of a stream's as far as it is kept."""
        known = self.train if isinstance(self.train, Resident) else self.train_part
        return {name: digest(split) for name, split in {**self.evaluated, "train": known}.items()}


def prepare(problem: Problem, seed: int, device: torch.device, validation: float | None = None) -> Prepared:
    """Split and place a problem's data; `validation` overrides the problem's own fraction.

    Raises InputError for data that cannot be trained on.
    """
    train = source(problem.train, where(problem, "train"), device, problem.drop_last)
    held_out = _held_out(problem, validation)
    validation_source: Source | None
    if held_out is None or isinstance(held_out, int | float):
        train, validation_source = _split(problem, train, held_out, seed)
    else:
        validation_source = source(held_out, where(problem, "validation"), device)
    test = None if problem.test is None else source(problem.test, where(problem, "test"), device)
    sources = {"train": train, "validation": validation_source, "test": test}
    splits = {
        name: keep(_part(split, seed) if name == "train" else split, where(problem, name), _enough(split, name))
        for name, split in sources.items()
        if split is not None
    }
    return Prepared(
        problem=problem,
        objective=Objective(problem, device),
        train=train,
        train_part=splits["train"],
        validation=splits.get("validation"),
        test=splits.get("test"),
        rows={name: split.rows for name, split in sources.items() if split is not None},
        device=device,
    )


def where(problem: Problem, split: str) -> str:
    """How messages call one split of a problem."""
    return f"{problem.name}: {'training' if split == 'train' else split} data"


def initial_model(prepared: Prepared, seed: int, index: int, factors: Mapping[str, Any] | None = None) -> nn.Module:
    """The model of one seed index with its initial weights, on the problem's device.

    Lazy modules are given their shapes, and so their weights, by a batch of training rows.
    """
    with forked(prepared.device):
        seed_global(seed, "initial weights", index, device=prepared.device)
        try:
            model = prepared.problem.make_model(factors).to(prepared.device)
        except InputError:
            raise
        except Exception as error:
            told = f" with {dict(factors)}" if factors else ""
            raise InputError(
                f"{prepared.problem.name}: the model could not be made{told}: {describe_failure(error)}"
            ) from error
        if any(is_lazy(p) for p in (*model.parameters(), *model.buffers())):
            with torch.no_grad():
                prepared.objective.loss(model, next(prepared.train_part.in_order()))
    return model


def _held_out(problem: Problem, asked: float | None) -> Any:
    if asked is None or problem.validation is None or isinstance(problem.validation, int | float):
        return problem.validation if asked is None else asked
    if asked:
        raise InputError(
            f"{problem.name} brings validation data of its own; a fraction of {asked:g} would replace them. "
            "Leave validation out, or give 0 for none."
        )
    return asked


def _enough(split: Source, name: str) -> int | None:
    return TRAINING_ROWS_EVALUATED if name == "train" and isinstance(split, Loader) else None


def _split(problem: Problem, train: Source, asked: float | None, seed: int) -> tuple[Source, Source | None]:
    if isinstance(train, Loader):
        if asked:
            raise InputError(
                f"{problem.name}: training data in a DataLoader cannot be split; "
                "pass validation=<data or another DataLoader>, or validation=0."
            )
        return train, None
    fraction = DEFAULT_VALIDATION if asked is None else asked
    if isinstance(fraction, bool) or not (0 <= fraction < 1) or not math.isfinite(fraction):
        raise InputError(f"{problem.name}: validation must be a fraction in [0, 1); got {shown(fraction)}.")
    held_out = round(train.rows * fraction)
    if held_out in (0, train.rows) and fraction and asked is not None:
        raise InputError(
            f"{problem.name}: a fraction of {fraction:g} of {train.rows} training rows holds out {held_out}; "
            "give a fraction that leaves both parts a row, or 0 for none."
        )
    if held_out in (0, train.rows):
        return train, None
    order = permutation(train.rows, seed, "split")
    return train.subset(order[held_out:].sort().values), train.subset(order[:held_out].sort().values)


def _part(train: Source, seed: int) -> Source:
    if isinstance(train, Loader) or train.rows <= TRAINING_ROWS_EVALUATED:
        return train
    return train.subset(permutation(train.rows, seed, "part")[:TRAINING_ROWS_EVALUATED].sort().values)
