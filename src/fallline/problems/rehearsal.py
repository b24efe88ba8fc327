"""The rehearsal of a study: every model, loss, metric and batch shape is tried once before anything is trained."""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from fallline.errors import InputError, describe_failure
from fallline.problems.misfits import form_hint, gradient_hint, input_hint, takes_labels, target_hint
from fallline.problems.objective import describe, rows, split, takes_model
from fallline.problems.prepared import Prepared, initial_model, where
from fallline.problems.problem import Problem
from fallline.problems.sources import Loader, Stream
from fallline.randomness import forked, seed_global


def rehearse(problem: Prepared, seed: int, factors: Mapping[str, Any], batch_size: int | None) -> tuple[nn.Module, Any]:
    """Try a model with some factors on batches of a size, the ragged last one too, and on all that is evaluated.

    Returns the model, trained on nothing, and a batch. Raises InputError for what cannot be trained, with the
    factors and shapes at fault.
    """
    told = f" with {', '.join(f'{name}={value}' for name, value in factors.items())}" if factors else ""
    model = initial_model(problem, seed, 0, factors)
    if not any(p.requires_grad for p in model.parameters()):
        raise InputError(f"{problem.problem.name}: the model {type(model).__name__} has no parameters to train.")
    with forked(problem.device):
        seed_global(seed, "rehearsal", device=problem.device)
        try_evaluations(problem, model, told)
        batch = try_batches(problem, initial_model(problem, seed, 0, factors).train(), batch_size, factors, told)
    return initial_model(problem, seed, 0, factors).train(), batch


def try_evaluations(problem: Prepared, model: nn.Module, told: str = "") -> None:
    """Put a model into evaluation mode and try it on all that is evaluated; `told` are the factors in messages."""
    for name in problem.evaluated:
        _evaluate(problem, name, model.eval(), told)


def try_batches(
    problem: Prepared,
    model: nn.Module,
    batch_size: int | None,
    factors: Mapping[str, Any] | None = None,
    told: str = "",
) -> Any:
    """Try a model in the mode it is in on batches of a size, the ragged last one too; the first of them."""
    batches = list(_training_batches(problem, batch_size))
    for batch in batches:
        loss = _loss(problem, f"{where(problem.problem, 'train')}{told}", model, batch, factors)
        if not loss.requires_grad:
            raise InputError(
                f"{problem.problem.name}: the loss does not depend on the model's parameters, so nothing can be "
                "trained."
            )
    return batches[0]


def _training_batches(problem: Prepared, batch_size: int | None) -> Iterator[Any]:
    """A batch as training will see it, and the smallest, which is the ragged last one where there is one."""
    first = next(problem.train_part.in_order())
    if isinstance(problem.train, Loader) or batch_size is None:
        yield first
        return
    total = problem.train.rows
    ragged = 0 if problem.train.drop_last else total % batch_size
    sizes = dict.fromkeys((min(batch_size, total), ragged or batch_size))
    for size in sizes:
        if size <= rows(first):
            yield tree_map(lambda x, size=size: x[:size] if isinstance(x, Tensor) else x, first)
        else:
            yield next(problem.train.epoch(size, torch.arange(total), Stream(0, "rehearsal")))


def _evaluate(problem: Prepared, name: str, model: nn.Module, told: str) -> None:
    place = f"{where(problem.problem, name)}{told}"
    for number, batch in enumerate(problem.evaluated[name].in_order()):
        _check_form(problem.problem, place, batch)
        with torch.no_grad():
            _check_labels(problem.problem, place, model, batch)
            _loss(problem, place, model, batch)
            if number == 0:
                _measure(problem, place, model, batch)


def _loss(
    problem: Prepared, place: str, model: nn.Module, batch: Any, factors: Mapping[str, Any] | None = None
) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Using a target size")
        try:
            loss = problem.objective.under(factors or {}).loss(model, batch)
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{place}: {_why(problem.problem, model, batch, error)}") from error
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        raise InputError(
            f"{place}: the loss must return one number for a batch, the mean over its rows; got {describe(loss)}."
        )
    return loss


def _measure(problem: Prepared, place: str, model: nn.Module, batch: Any) -> None:
    arguments = problem.objective.arguments(model, batch)
    form = "(model, batch)" if takes_model(problem.problem.loss) else "(output, target)"
    for name, metric in problem.problem.metrics.items():
        try:
            value = torch.as_tensor(metric(*arguments))
        except Exception as error:
            raise InputError(
                f"{place}: metric {name!r}, called as {name}{form} because metrics have the form of the loss, failed "
                f"on {describe(arguments)}: {describe_failure(error)}"
            ) from error
        if value.numel() != 1:
            raise InputError(f"{place}: metric {name!r} must return one number; got {describe(value)}.")


def _why(problem: Problem, model: nn.Module, batch: Any, error: Exception) -> str:
    text = describe_failure(error)
    if takes_model(problem.loss):
        said = f"the loss failed on a batch {describe(batch)}: {text}"
        hint = gradient_hint(lambda: problem.loss(model, batch))
        return said if hint is None else f"{said}. {hint}"
    inputs, target = split(batch)
    try:
        with torch.no_grad():
            output = model(*inputs)
    except Exception:
        said = f"the model {type(model).__name__} failed on inputs {describe(inputs)}: {text}"
        hint = input_hint(model, inputs) or gradient_hint(lambda: model(*inputs))
    else:
        said = f"the model's output {describe(output)} does not fit the loss with targets {describe(target)}: {text}"
        hint = target_hint(problem.loss, output, target)
        if hint is None and isinstance(error, TypeError | AttributeError):
            hint = form_hint(problem.loss)
    return said if hint is None else f"{said}. {hint}"


def _check_form(problem: Problem, place: str, batch: Any) -> None:
    """A loss that is no loss(model, batch) needs batches of inputs and target."""
    if takes_model(problem.loss):
        return
    try:
        split(batch)
    except InputError as error:
        raise InputError(f"{place}: {error} {form_hint(problem.loss)}") from error


def _check_labels(problem: Problem, place: str, model: nn.Module, batch: Any) -> None:
    """Class labels must lie below the number of outputs: found here, with the label, rather than in a kernel."""
    if not takes_labels(problem.loss):
        return
    inputs, target = split(batch)
    try:
        output = model(*inputs)
    except Exception:
        return
    if not isinstance(target, Tensor) or target.is_floating_point() or output.dim() != target.dim() + 1:
        return
    classes = output.shape[1]
    bad = ((target < 0) | (target >= classes)) & (target != getattr(problem.loss, "ignore_index", -100))
    if bool(bad.any()):
        raise InputError(
            f"{place}: label {int(target[bad][0])} is outside 0..{classes - 1}, the model's {classes} outputs "
            f"({int(bad.sum())} such labels among {len(target)}). Renumber the labels or widen the model."
        )
