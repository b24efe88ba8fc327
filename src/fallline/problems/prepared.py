"""A problem made ready to train: data split and placed, checked once before anything is trained."""

import copy
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from fallline.errors import InputError
from fallline.problems.data import source
from fallline.problems.kept import Evaluated, digest, keep
from fallline.problems.objective import Objective, describe, split, takes_model
from fallline.problems.problem import Problem
from fallline.problems.sources import Loader, Resident, Source, permutation
from fallline.randomness import forked, seed_global

DEFAULT_VALIDATION = 0.2
TRAINING_ROWS_EVALUATED = 5_000


@dataclass(frozen=True)
class Prepared:
    """The splits of a problem on a device. `train_part` is what the training loss is measured on: all training
    rows, or 5,000 of them where there are more (a keyed choice, or a DataLoader's first).
    """

    problem: Problem
    objective: Objective
    train: Source
    train_part: Evaluated
    validation: Evaluated | None
    test: Evaluated | None
    rows: Mapping[str, int | None]
    device: torch.device
    draws_randomness: bool

    @property
    def evaluated(self) -> dict[str, Evaluated]:
        """What is evaluated, by split."""
        splits = {"train": self.train_part, "validation": self.validation, "test": self.test}
        return {name: split for name, split in splits.items() if split is not None}

    @property
    def digests(self) -> dict[str, str]:
        """A digest of each split's content, of a stream's as far as it is known."""
        known = self.train if isinstance(self.train, Resident) else self.train_part
        return {name: digest(split) for name, split in {**self.evaluated, "train": known}.items()}


def prepare(problem: Problem, seed: int, device: torch.device, validation: float | None = None) -> Prepared:
    """Split, place and check a problem's data; `validation` overrides the problem's own fraction.

    Raises InputError for data, models and losses that cannot be trained.
    """
    train = source(problem.train, f"{problem.name}: training data", device)
    held_out = problem.validation if validation is None else validation
    validation_source: Source | None
    if held_out is None or isinstance(held_out, int | float):
        train, validation_source = _split(problem, train, held_out, seed)
    else:
        validation_source = source(held_out, f"{problem.name}: validation data", device)
    test = None if problem.test is None else source(problem.test, f"{problem.name}: test data", device)
    sources = {"train": train, "validation": validation_source, "test": test}
    splits = {
        name: keep(_part(split, seed) if name == "train" else split, _where(problem, name), _enough(split, name))
        for name, split in sources.items()
        if split is not None
    }
    objective = Objective(problem)
    return Prepared(
        problem=problem,
        objective=objective,
        train=train,
        train_part=splits["train"],
        validation=splits.get("validation"),
        test=splits.get("test"),
        rows={name: split.rows for name, split in sources.items() if split is not None},
        device=device,
        draws_randomness=_preflight(problem, objective, sources, splits, seed),
    )


def _where(problem: Problem, split: str) -> str:
    return f"{problem.name}: {'training' if split == 'train' else split} data"


def _enough(split: Source, name: str) -> int | None:
    return TRAINING_ROWS_EVALUATED if name == "train" and isinstance(split, Loader) else None


def _split(problem: Problem, train: Source, fraction: float | None, seed: int) -> tuple[Source, Source | None]:
    if isinstance(train, Loader):
        if fraction:
            raise InputError(
                f"{problem.name}: training data in a DataLoader cannot be split; "
                "pass validation=<data or another DataLoader>, or validation=0."
            )
        return train, None
    fraction = DEFAULT_VALIDATION if fraction is None else fraction
    if isinstance(fraction, bool) or not (0 <= fraction < 1) or not math.isfinite(fraction):
        raise InputError(f"{problem.name}: validation must be a fraction in [0, 1); got {fraction!r}.")
    held_out = round(train.rows * fraction)
    if held_out == 0:
        if fraction > 0:
            raise InputError(
                f"{problem.name}: a fraction of {fraction:g} of {train.rows} training rows holds out no row; "
                "use a larger fraction, or 0 for none."
            )
        return train, None
    if held_out == train.rows:
        raise InputError(f"{problem.name}: a fraction of {fraction:g} of {train.rows} rows leaves none to train on.")
    order = permutation(train.rows, seed, "split")
    return train.subset(order[held_out:].sort().values), train.subset(order[:held_out].sort().values)


def _part(train: Source, seed: int) -> Source:
    if isinstance(train, Loader) or train.rows <= TRAINING_ROWS_EVALUATED:
        return train
    return train.subset(permutation(train.rows, seed, "part")[:TRAINING_ROWS_EVALUATED].sort().values)


def initial_model(prepared: Prepared, seed: int, index: int, factors: Mapping[str, Any] | None = None) -> nn.Module:
    """The model of one seed index with its initial weights, on the problem's device."""
    return _initial(prepared.problem, seed, index, factors).to(prepared.device)


def _initial(problem: Problem, seed: int, index: int, factors: Mapping[str, Any] | None) -> nn.Module:
    if isinstance(problem.model, nn.Module):
        return copy.deepcopy(problem.model)
    with forked():
        seed_global(seed, "initial weights", index)
        try:
            return problem.make_model(factors)
        except TypeError as error:
            raise InputError(f"{problem.name}: model could not be made: {error}") from error


def _preflight(
    problem: Problem,
    objective: Objective,
    sources: Mapping[str, Source | None],
    splits: Mapping[str, Evaluated],
    seed: int,
) -> bool:
    """Run one batch of every split; return whether a training step draws from torch's global generator."""
    draws = False
    for name, kept in splits.items():
        where, data = _where(problem, name), sources[name]
        batch = next(kept.in_order())
        model = _initial(problem, seed, 0, None).to(_device(batch))
        parameters = [p for p in model.parameters() if p.requires_grad]
        if not parameters:
            raise InputError(f"{problem.name}: the model {type(model).__name__} has no parameters to train.")
        if isinstance(data, Resident):
            _check_labels(problem, where, model, data, batch)
        with forked():
            before = torch.get_rng_state()
            loss = _loss(problem, objective, where, model, batch)
            draws = draws or not torch.equal(before, torch.get_rng_state())
        if not loss.requires_grad:
            raise InputError(f"{where}: the loss does not depend on the model's parameters, so nothing can be trained.")
        _measure(problem, objective, where, model, batch)
    return draws


def _loss(problem: Problem, objective: Objective, where: str, model: nn.Module, batch: Any) -> Tensor:
    model.train()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Using a target size")
        try:
            loss = objective.loss(model, batch)
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{where}: {_why(problem, model, batch, error)}") from error
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        raise InputError(
            f"{where}: the loss must return one number for a batch, the mean over its rows; got {describe(loss)}."
        )
    return loss


def _measure(problem: Problem, objective: Objective, where: str, model: nn.Module, batch: Any) -> None:
    model.eval()
    try:
        with torch.no_grad():
            values = objective.measure(model, batch)
    except Exception as error:
        raise InputError(f"{where}: a metric failed: {type(error).__name__}: {_line(error)}") from error
    for name, value in zip(objective.names, values, strict=True):
        if torch.as_tensor(value).numel() != 1:
            raise InputError(f"{where}: metric {name!r} must return one number; got {describe(value)}.")


def _why(problem: Problem, model: nn.Module, batch: Any, error: Exception) -> str:
    text = f"{type(error).__name__}: {_line(error)}"
    if takes_model(problem.loss):
        return f"the loss failed on a batch {describe(batch)}: {text}"
    inputs, target = split(batch)
    try:
        with torch.no_grad():
            output = model(*inputs)
    except Exception:
        return f"the model {type(model).__name__} failed on inputs {describe(inputs)}: {text}"
    return f"the model's output {describe(output)} does not fit the loss with targets {describe(target)}: {text}"


def _check_labels(problem: Problem, where: str, model: nn.Module, data: Resident, batch: Any) -> None:
    """Class labels must lie below the number of outputs; found here, with the row, rather than in a kernel."""
    if takes_model(problem.loss) or not isinstance(data.tensors, list | tuple) or len(data.tensors) < 2:
        return
    target = data.tensors[-1]
    if not isinstance(target, Tensor) or target.is_floating_point() or target.dtype == torch.bool:
        return
    try:
        with torch.no_grad():
            output = model.eval()(*split(batch)[0])
    except Exception:
        return
    if not isinstance(output, Tensor) or output.dim() != target.dim() + 1:
        return
    classes = output.shape[1]
    ignored = getattr(problem.loss, "ignore_index", -100)
    bad = ((target < 0) | (target >= classes)) & (target != ignored)
    if bool(bad.any()):
        place = tuple(int(i) for i in bad.nonzero()[0])
        raise InputError(
            f"{where}: label {int(target[place])} in row {place[0]} is outside 0..{classes - 1}, the model's "
            f"{classes} outputs ({int(bad.sum())} such labels). Renumber the labels or widen the model."
        )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _device(batch: Any) -> torch.device:
    return next(leaf.device for leaf in tree_leaves(batch) if isinstance(leaf, Tensor))
