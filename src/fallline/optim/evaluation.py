"""The evaluation point: weights to evaluate a model with that are not those a rule trains."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fallline.errors import InputError
from fallline.optim.batch_norm import measure_statistics, statistics_kept

if TYPE_CHECKING:
    from fallline.optim.optimizer import Optimizer

Forward = Callable[[], object]
"""Runs a model on batches of training rows."""


@contextmanager
def at_evaluation_point(
    optimizer: "Optimizer", model: nn.Module | None = None, forward: Forward | None = None
) -> Iterator[None]:
    """Lend the parameters at the evaluation point, and with `forward` the statistics of the model's BatchNorm layers.

    Everything is put back at the end, bit for bit. Where no parameter has another evaluation point nothing is done.
    """
    if _refuse_step in optimizer._optimizer_step_pre_hooks.values():
        raise InputError("evaluating() inside evaluating(): the weights are those to evaluate with already.")
    moves = _moves(optimizer)
    kept = [(p, p.detach().clone()) for p, _ in moves]
    refusing = optimizer.register_step_pre_hook(_refuse_step)
    refusing_state = optimizer.register_load_state_dict_pre_hook(_refuse_state)
    try:
        _move(moves)
        if model is None or forward is None or not moves:
            yield
        else:
            with statistics_kept(model):
                measure_statistics(model, forward)
                yield
    finally:
        _move(kept)
        refusing.remove()
        refusing_state.remove()


class Evaluating(AbstractContextManager[None]):
    """`at_evaluation_point`, as often as it is entered; never entered, it warns that nothing has happened."""

    def __init__(self, optimizer: "Optimizer", model: nn.Module | None = None, forward: Forward | None = None) -> None:
        self._lend = partial(at_evaluation_point, optimizer, model, forward)
        self._entered = False

    def __enter__(self) -> None:
        self._entered = True
        lent = self._lend()
        lent.__enter__()
        self._lent = lent

    def __exit__(self, *raised: Any) -> bool | None:
        return self._lent.__exit__(*raised)

    def __del__(self) -> None:
        if not self._entered:
            warnings.warn(
                "evaluating() without `with` changes nothing. Write `with optimizer.evaluating(): ...` around what "
                "evaluates the model.",
                RuntimeWarning,
                stacklevel=2,
            )


def settle(optimizer: "Optimizer", model: nn.Module, forward: Forward) -> None:
    """Move a model that has been trained to the evaluation point for good."""
    if moves := _moves(optimizer):
        _move(moves)
        measure_statistics(model, forward)


def running(model: nn.Module, batches: Iterable[Any]) -> Forward:
    """A forward pass on batches of inputs, or on the first items of tuples, as torch.optim.swa_utils.update_bn's."""

    def forward() -> None:
        device = next((p.device for p in model.parameters()), None)
        batch = None
        for batch in batches:
            inputs = batch[0] if isinstance(batch, list | tuple) else batch
            model(inputs.to(device) if isinstance(inputs, Tensor) else inputs)
        if batch is None:
            raise InputError("evaluating(model, batches): there is no batch to measure BatchNorm's statistics on.")

    return forward


@torch.no_grad()
def _moves(optimizer: "Optimizer") -> list[tuple[Tensor, Tensor]]:
    """The parameters that are evaluated elsewhere, each with its weights there."""
    found = []
    for group in optimizer.param_groups:
        rule = optimizer._rule(group)
        for p in group["params"]:
            # Before its first update a parameter is evaluated where it stands.
            state = {name: value for name, value in optimizer.state.get(p, {}).items() if name != "step"}
            point = rule.eval_point(p, state) if state else p
            if point is not p:
                found.append((p, point))
    return found


@torch.no_grad()
def _move(moves: list[tuple[Tensor, Tensor]]) -> None:
    for p, point in moves:
        p.copy_(point)


def _refuse_state(optimizer: torch.optim.Optimizer, state_dict: Any) -> None:
    raise InputError("load_state_dict() inside evaluating(): it would be undone. Load behind the `with` block.")


def _refuse_step(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
    raise InputError(
        "step() inside evaluating(): the weights are those to evaluate with. Train behind the `with` block."
    )
