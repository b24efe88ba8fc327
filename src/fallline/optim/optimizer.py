"""Any rule as a `torch.optim.Optimizer`."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from fallline.errors import InputError
from fallline.executors import Executor, Part, Surroundings, foreach, initial_state, reference
from fallline.optim.groups import group_values, rule_of
from fallline.randomness import torch_stream
from fallline.rules import Rule
from fallline.rules.rule import unknown

EXECUTORS: dict[str, Executor] = {"auto": foreach, "reference": reference, "foreach": foreach}


class Optimizer(torch.optim.Optimizer):
    """Trains parameters by a rule, with torch's whole interface: groups, closures, state_dict, schedulers.

    `params` are tensors, named tensors or groups of them, as in torch; a group may set any hyperparameter under
    torch's key (`lr`, `betas`), a wrapper's under `wrapper.field`. `executor` is "auto", "reference" or
    "foreach". `seed` keys the noise of rules that draw any. Raises InputError for a hyperparameter that is
    unknown or out of range, an unknown executor, and complex parameters.

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
        if isinstance(params, Iterable) and not isinstance(params, Tensor | dict):
            params = list(params)
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, as torch does, after checking its values."""
        where = f"parameter group {len(self.param_groups)}"
        known = {**self.defaults, "params": None, "param_names": None, "initial_lr": None, "max_lr": None}
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
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Update every parameter that has a gradient; with a closure, compute the loss first and return it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        parts = self._parts()
        if not parts:
            return loss
        around = Surroundings(
            step=max(max(part.t) for part in parts),
            noise=self._noise(max(max(part.t) for part in parts)),
            gradient=None if closure is None else lambda points: self._gradient(closure, points),
        )
        for part, update in zip(parts, EXECUTORS[self.executor](parts, around), strict=True):
            torch._foreach_sub_(part.p, update.decrement)
            for p, t, new in zip(part.p, part.t, update.state, strict=True):
                state = self.state[p]
                state["step"].fill_(t)
                state.update(new)
        return loss

    def _parts(self) -> list[Part]:
        parts: dict[Any, Part] = {}
        position = 0
        for group in self.param_groups:
            rule = rule_of(self.rule, group, self._absent_is_zero, checked=False)
            part = parts.setdefault(rule.program(), Part(rule))
            values = rule.floats()
            for p in group["params"]:
                if p.grad is not None:
                    state = self._state(rule, p)
                    part.p.append(p)
                    part.g.append(self._checked_gradient(p, position))
                    part.t.append(int(state["step"]) + 1)
                    part.state.append({name: value for name, value in state.items() if name != "step"})
                    part.values.append(values)
                    part.position.append(position)
                position += 1
        return [part for part in parts.values() if part.p]

    def _state(self, rule: Rule, p: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[p]
        if "step" not in state:
            state["step"] = torch.tensor(float(len(state) > 0), dtype=torch.float32)
        elif not isinstance(state["step"], Tensor):
            state["step"] = torch.tensor(float(state["step"]), dtype=torch.float32)
        initial = initial_state(rule, p)
        for name in initial.keys() - state.keys():
            state[name] = initial[name]
        return state

    def _checked_gradient(self, p: Tensor, position: int) -> Tensor:
        gradient = p.grad
        assert gradient is not None
        if gradient.is_sparse:
            raise InputError(
                f"Parameter {position} of shape {tuple(p.shape)} has a sparse gradient, which "
                f"{type(self.rule).__name__} does not take. Build the embedding with sparse=False."
            )
        return gradient

    def _noise(self, step: int) -> Callable[[Tensor, int, int], Tensor]:
        def draw(p: Tensor, position: int, call: int) -> Tensor:
            generator = torch_stream(self.seed, f"noise/{position}/{call}", step=step, device=p.device)
            return torch.randn(p.shape, generator=generator, dtype=p.dtype, device=p.device)

        return draw

    def _gradient(self, closure: Callable[[], Any], points: Sequence[tuple[int, Tensor]]) -> list[Tensor]:
        everything = [p for group in self.param_groups for p in group["params"]]
        moved = [(everything[position], x) for position, x in points]
        kept = [(p, p.detach().clone(), p.grad) for p in everything]
        for p in everything:
            p.grad = None
        for p, x in moved:
            p.copy_(x)
        with torch.enable_grad():
            closure()
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p, _ in moved]
        for p, value, gradient in kept:
            p.copy_(value)
            p.grad = gradient
        return gradients

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "rule": self.rule, "executor": self.executor, "seed": self.seed}
