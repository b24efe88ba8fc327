"""Any rule as a `torch.optim.Optimizer`."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from fallline.errors import InputError
from fallline.executors import (
    Compiled,
    Executor,
    Part,
    Surroundings,
    apart,
    foreach,
    in_place,
    initial_state,
    reference,
)
from fallline.optim.evaluation import at_evaluation_point, running
from fallline.optim.groups import group_values, rule_of
from fallline.randomness import torch_stream
from fallline.rules import Rule, State
from fallline.suggestions import unknown

EXECUTORS: dict[str, Executor] = {
    "auto": in_place(foreach),
    "reference": in_place(reference),
    "foreach": in_place(foreach),
    "compiled": Compiled(),
}
_SCHEDULER_KEYS = ("initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum", "swa_lr")


class Optimizer(torch.optim.Optimizer):
    """Trains parameters by a rule, with torch's whole interface: groups, closures, state_dict, schedulers.

    `params` are tensors, named tensors or groups of them, as in torch; a group may set any hyperparameter
    under torch's key (`lr`, `betas`), a wrapper's under `wrapper.field`. `executor` is "auto", "reference",
    "foreach" or "compiled". `seed` keys the noise of rules that draw any. Raises InputError for a hyperparameter
    that is unknown or out of range, an unknown executor, and complex parameters.

    >>> import torch, fallline as fl
    >>> model = torch.nn.Linear(2, 1)
    >>> optimizer = fl.optim.Optimizer(model.parameters(), fl.rules.Momentum(lr=0.1))
    >>> model(torch.ones(4, 2)).mean().backward()
    >>> optimizer.step()
    """

    _absent_is_zero = False

    def __init__(self, params: Any, rule: Rule, *, executor: str = "auto", seed: int = 0) -> None:
        if not isinstance(rule, Rule):
            raise InputError(
                f"Optimizer needs a rule, such as fl.rules.Adam(lr=1e-3); got {rule!r}. "
                "A class of rules must be called first."
            )
        self._begin(params, rule, group_values(rule), executor, seed)

    def _begin(self, params: Any, rule: Rule, defaults: dict[str, Any], executor: str, seed: int) -> None:
        if executor not in EXECUTORS:
            raise InputError(unknown(executor, EXECUTORS, "executor"))
        self.rule = rule
        self.executor = executor
        self.seed = seed
        self._names: dict[Any, list[str]] = {}
        if isinstance(params, Iterable) and not isinstance(params, Tensor | dict):
            params = list(params)
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, as torch does, after checking its values."""
        where = f"parameter group {len(self.param_groups)}"
        known = {*self.defaults, "params", "param_names", *_SCHEDULER_KEYS}
        if isinstance(param_group, dict):
            for name in param_group:
                if name not in known:
                    raise InputError(f"In {where}: " + unknown(name, self.defaults, "hyperparameter"))
            try:
                rule_of(self.rule, {**self.defaults, **param_group}, self._absent_is_zero, checked=True)
            except InputError as error:
                raise InputError(f"In {where}: {error}") from None
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            if p.is_complex():
                self.param_groups.pop()
                raise InputError(f"In {where}: complex parameters are not supported; got {p.dtype}.")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; a closure computes the loss, which is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        parts = self._parts()
        if not parts:
            return loss
        around = Surroundings(
            step=max(max(part.t) for part in parts),
            noise=self._noise(parts),
            gradient=None if closure is None else lambda points: self._gradient(closure, points),
        )
        EXECUTORS[self.executor](parts, around)
        for part in parts:
            for p, t, state in zip(part.p, part.t, part.state, strict=True):
                self.state[p].update(state, step=torch.tensor(float(t), dtype=torch.float32))
        return loss

    def evaluating(
        self, model: nn.Module | None = None, batches: Iterable[Any] | None = None
    ) -> AbstractContextManager[None]:
        """Lend the parameters at the weights to evaluate the model with, where the rule has other than those it trains
        (averages, Lookahead, schedule-free rules); they are put back at the end, bit for bit.

        With the model and batches of training data (inputs, or tuples that begin with them) the statistics of its
        BatchNorm layers are measured anew at these weights, and put back too. Saving the model inside saves these
        weights. Raises InputError for a step inside.

        >>> import torch, fallline as fl
        >>> p = torch.zeros(1, requires_grad=True)
        >>> optimizer = fl.optim.Optimizer([p], fl.wrappers.Average(fl.rules.SGD(lr=1.0), decay=0.5))
        >>> for _ in range(2):
        ...     p.grad = torch.full((1,), -3.0)
        ...     optimizer.step()
        >>> with optimizer.evaluating():
        ...     round(p.item(), 6)
        5.0
        >>> p.item()
        6.0
        """
        if (model is None) != (batches is None):
            raise InputError("evaluating() takes a model and batches, or neither.")
        forward = None if model is None or batches is None else running(model, batches)
        return at_evaluation_point(self, model, forward)

    def _parts(self) -> list[Part]:
        parts: dict[Any, Part] = {}
        position = 0
        for group in self.param_groups:
            rule = rule_of(self.rule, group, self._absent_is_zero, checked=False)
            program = rule.program()
            part = parts.setdefault(program, Part(rule))
            values = rule.floats()
            for p in group["params"]:
                if p.grad is not None:
                    t, state = self._state(rule, program, p)
                    part.p.append(p)
                    part.g.append(self._checked_gradient(p, position))
                    part.t.append(t + 1)
                    part.state.append(state)
                    part.values.append(values)
                    part.position.append(position)
                position += 1
        return [part for part in parts.values() if part.p]

    def _state(self, rule: Rule, program: Hashable, p: Tensor) -> tuple[int, State]:
        """How many updates p has had, and the entries of its state that the program uses."""
        state: dict[str, Any] = self.state[p]
        # torch keeps no count for some optimizers: with state, they are past the first update.
        t = int(state["step"]) if "step" in state else int(len(state) > 0)
        names = self._names.get((program, p.shape))
        if names is None or any(name not in state for name in names):
            initial = apart(initial_state(rule, p), p)
            names = self._names[program, p.shape] = list(initial)
            if not rule.core().torch_step and any(name not in state for name in names):
                t = 0
            for name in names:
                state.setdefault(name, initial[name])
        return t, {name: state[name] for name in names}

    def _checked_gradient(self, p: Tensor, position: int) -> Tensor:
        gradient = p.grad
        assert gradient is not None
        if gradient.layout != torch.strided:
            raise InputError(
                f"Parameter {position} of shape {tuple(p.shape)} has a sparse gradient, which "
                f"{type(self.rule).__name__} does not take. Build the embedding with sparse=False."
            )
        return gradient

    def _noise(self, parts: Sequence[Part]) -> Callable[[Tensor, int, int], Tensor]:
        # Keyed by the parameter's own count, which no later step can meet again where gradients are missing; and by
        # its name where it has one, so that other groups of the same model draw the same.
        count = {position: t for part in parts for position, t in zip(part.position, part.t, strict=True)}
        names = [
            name for group in self.param_groups for name in group.get("param_names") or [None] * len(group["params"])
        ]

        def draw(p: Tensor, position: int, call: int) -> Tensor:
            purpose = f"noise/{position if names[position] is None else names[position]}/{call}"
            generator = torch_stream(self.seed, purpose, step=count[position], device=p.device)
            return torch.randn(p.shape, generator=generator, dtype=p.dtype, device=p.device)

        return draw

    def _gradient(self, closure: Callable[[], Any], points: Sequence[tuple[int, Tensor]]) -> list[Tensor]:
        everything = [p for group in self.param_groups for p in group["params"]]
        moved = [(everything[position], x) for position, x in points]
        kept = [(p, p.detach().clone(), p.grad) for p in everything]
        try:
            for p in everything:
                p.grad = None
            for p, x in moved:
                p.copy_(x)
            with torch.enable_grad():
                closure()
            return [torch.zeros_like(p) if p.grad is None else p.grad for p, _ in moved]
        finally:
            for p, value, gradient in kept:
                p.copy_(value)
                p.grad = gradient

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "rule": self.rule, "executor": self.executor, "seed": self.seed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._names = {}
        for group in self.param_groups:
            for name, value in self.defaults.items():
                group.setdefault(name, value)
