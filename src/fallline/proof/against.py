"""A rule beside an optimizer of torch: the same steps on the same gradients, parameter by parameter."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fallline.errors import InputError
from fallline.optim.groups import group_values
from fallline.optim.optimizer import Optimizer
from fallline.proof.findings import Broken, relative_difference
from fallline.proof.trials import describe, other_values, shapes_for, tensor
from fallline.rules import Rule
from fallline.wrappers import Maximize
from fallline.wrappers.wrapper import Wrapper

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}


@dataclass(frozen=True)
class Match:
    """How a rule's hyperparameters are spelled in a torch optimizer's signature."""

    keywords: dict[str, Any]
    unmatched: list[str]
    left: dict[str, Any]

    def __str__(self) -> str:
        parts = ["matched " + (", ".join(f"{name}={value}" for name, value in self.keywords.items()) or "nothing")]
        if self.unmatched:
            parts.append(f"torch has no {', '.join(self.unmatched)}")
        if self.left:
            parts.append("torch's own " + ", ".join(f"{name}={value}" for name, value in self.left.items()))
        return "; ".join(parts)


def match(rule: Rule, against: type[torch.optim.Optimizer]) -> Match:
    """The rule's values under torch's names, what has no name there, and what torch has beside."""
    known = {p.name: p.default for p in inspect.signature(against).parameters.values() if p.name != "params"}
    ours = group_values(rule)
    for name, default in known.items():
        if name not in ours and isinstance(default, tuple):
            fields = [f"{name.removesuffix('s')}{i + 1}" for i in range(len(default))]
            if all(field in ours for field in fields):
                ours[name] = tuple(ours.pop(field) for field in fields)
    for wrapper in _wrappers(rule):
        ours |= _torch_spelling(wrapper, known, ours)
    keywords = {
        name: 0.0 if value is None and isinstance(known[name], int | float) else value
        for name, value in ours.items()
        if name in known and not (value is None and known[name] is None)
    }
    left = {
        name: default
        for name, default in known.items()
        if name not in keywords and default and isinstance(default, int | float | tuple)
    }
    return Match(keywords, [name for name in ours if name not in known], left)


def equals_torch(rule: Rule, against: type[torch.optim.Optimizer], steps: int, dtype: torch.dtype, others: bool) -> str:
    """Run both for some steps; the largest difference and what was matched.

    With `others` it is done once more for each matched hyperparameter at another value. Raises Broken with
    the first differing step and parameter.
    """
    matched = match(rule, against)
    largest = 0.0
    settings = [rule, *(_elsewhere(rule, matched, against) if others else [])]
    with _default_dtype(dtype):
        for setting in settings:
            # In bfloat16 a last bit that differs grows from step to step.
            taken = 1 if setting.rounds and dtype != torch.float64 else steps
            difference, first = _run_beside(setting, against, taken, dtype)
            largest = max(largest, difference)
            if first is not None:
                raise Broken(
                    f"{describe(setting)}: first differs at {first}; largest relative difference "
                    f"{difference:.1e} in {steps} steps; {match(setting, against)}"
                )
    return f"{len(settings)} settings, largest relative difference {largest:.1e}; {matched}"


def _run_beside(
    rule: Rule, against: type[torch.optim.Optimizer], steps: int, dtype: torch.dtype
) -> tuple[float, str | None]:
    shapes = _shapes_for_both(rule, against)
    ours, theirs = (
        [tensor("p", i, 0, shape, dtype).requires_grad_() for i, shape in enumerate(shapes)] for _ in range(2)
    )
    dense = takes_dense(against)
    optimizer = Optimizer(ours, rule, executor="reference")
    torchs: Any = against
    other = torchs(theirs, **match(rule, against).keywords)
    largest, first = 0.0, None
    for step in range(1, steps + 1):
        optimizer.step(_closure(ours, step))
        other.step(_closure(theirs, step, sparse=not dense))
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            difference = relative_difference(a.detach(), b.detach())
            largest = max(largest, difference)
            if first is None and not difference <= TOLERANCE[dtype]:
                first = f"step {step}, parameter {i} of shape {tuple(a.shape)} (by {difference:.1e})"
    return largest, first


def takes_dense(against: type[torch.optim.Optimizer]) -> bool:
    """Whether an optimizer steps by ordinary gradients; torch.optim.SparseAdam takes sparse ones alone."""
    torchs: Any = against
    p = torch.zeros(1, 1, requires_grad=True)
    p.grad = torch.ones(1, 1)
    try:
        torchs([p]).step()
    except Exception as error:  # Whatever else is amiss is found with the parameters at hand.
        return "dense gradients" not in str(error)
    return True


def _shapes_for_both(rule: Rule, against: type[torch.optim.Optimizer]) -> list[tuple[int, ...]]:
    """Shapes that both act on; all of the rule's where torch refuses every one, so that it says why."""
    torchs: Any = against

    def taken(shape: tuple[int, ...]) -> bool:
        try:
            torchs([torch.zeros(shape, requires_grad=True)])
        except ValueError:
            return False
        return True

    shapes = shapes_for(rule)
    return [shape for shape in shapes if taken(shape)] or shapes


def _closure(parameters: list[Tensor], step: int, sparse: bool = False) -> Callable[[], Tensor]:
    """A bowl whose middle is moved by noise at every step; its gradients are written, no graph is made."""
    noise = [tensor("noise of the loss", i, step, tuple(p.shape), p.dtype) for i, p in enumerate(parameters)]

    def closure() -> Tensor:
        with torch.no_grad():
            for p, moved in zip(parameters, noise, strict=True):
                p.grad = (p + moved).to_sparse() if sparse else p + moved
            return torch.stack([((p + x) ** 2).sum() / 2 for p, x in zip(parameters, noise, strict=True)]).sum()

    return closure


def _elsewhere(rule: Rule, matched: Match, against: type[torch.optim.Optimizer]) -> Iterator[Rule]:
    """The rule with one matched hyperparameter moved, for every one of them that torch accepts."""
    torchs: Any = against
    for name, kind in rule.kinds().items():
        value = rule.hyperparameters()[name]
        for other in [not value] if kind.type is bool else other_values(value, kind)[:1] if kind.is_float else []:
            try:
                moved = rule.replace({name: other})
                keywords = match(moved, against).keywords
                torchs([torch.zeros(_shapes_for_both(rule, against)[0], requires_grad=True)], **keywords)
            except (InputError, ValueError, RuntimeError):
                continue
            if keywords != matched.keywords:
                yield moved


def _wrappers(rule: Rule) -> Iterator[Wrapper]:
    while isinstance(rule, Wrapper):
        yield rule
        rule = rule.rule


def _torch_spelling(wrapper: Wrapper, known: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """torch spells our wrappers as keywords: `weight_decay`, `decoupled_weight_decay` and `maximize`."""
    spelled: dict[str, Any] = {}
    for name in [name for name in ours if name.startswith(f"{wrapper.name}.")]:
        plain = name.removeprefix(f"{wrapper.name}.")
        if plain in known:
            spelled[plain] = ours.pop(name)
            if f"{wrapper.name}_{plain}" in known:
                spelled[f"{wrapper.name}_{plain}"] = True
    if isinstance(wrapper, Maximize) and "maximize" in known:
        spelled["maximize"] = True
    return spelled


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    # torch keeps some scalars of NAdam and ASGD in the default dtype.
    kept = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(kept)
