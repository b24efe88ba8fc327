"""Any rule as a `torch.optim.Optimizer`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fallline.errors import InputError
from fallline.executors import Compiled, Executor, Surroundings, foreach, in_place, reference
from fallline.optim.acceptance import (
    check_arguments,
    check_group,
    check_keys,
    check_manner,
    check_parameters,
    in_group,
)
from fallline.optim.automatic import chosen
from fallline.optim.counting import fewest_steps, saved_steps
from fallline.optim.differentiable import differentiable
from fallline.optim.elsewhere import gradient_elsewhere
from fallline.optim.evaluation import Evaluating, running
from fallline.optim.following import follow, whereabouts
from fallline.optim.gathering import Gathering, Seat, rounds
from fallline.optim.groups import expected_keys, rule_of
from fallline.optim.loading import check_packed, loaded_groups, loaded_state
from fallline.optim.native import Native
from fallline.optim.noise import keyed_noise
from fallline.optim.routing import every_key, keys_of, shared_defaults, split
from fallline.optim.spelling import for_rules_alone
from fallline.rules import Rule
from fallline.suggestions import unknown

EXECUTORS: dict[str, Executor] = {
    "reference": in_place(reference),
    "foreach": in_place(foreach),
    "compiled": Compiled(),
}


class Optimizer(torch.optim.Optimizer):
    """Trains parameters by a rule, with torch's whole interface: groups, closures, state_dict, schedulers.

    `params` are tensors, named tensors or groups of them, as in torch; a group may set any hyperparameter
    under torch's key (`lr`, `betas`), a wrapper's under `wrapper.field`. `executor` is "auto", "reference",
    "foreach" or "compiled". `seed` keys the noise of rules that draw any. With `differentiable` autograd goes through
    the step, to gradients, states and hyperparameters that are tensors. A model may be converted between steps, as by
    `model.double()`: the state follows. Raises InputError for a hyperparameter that is
    unknown or out of range, an unknown executor, and parameters that the rule cannot step.

    >>> import torch, fallline as fl
    >>> model = torch.nn.Linear(2, 1)
    >>> optimizer = fl.optim.Optimizer(model.parameters(), fl.rules.Momentum(lr=0.1))
    >>> model(torch.ones(4, 2)).mean().backward()
    >>> optimizer.step()
    """

    _absent_is_zero = False

    @for_rules_alone
    def __init__(
        self, params: Any, rule: Rule, *, executor: str = "auto", seed: int = 0, differentiable: bool = False
    ) -> None:
        check_arguments("Optimizer", params, rule, seed)
        self._begin(params, rule, shared_defaults(rule) | {"differentiable": differentiable}, executor, seed)

    def _begin(self, params: Any, rule: Rule, defaults: dict[str, Any], executor: str, seed: int) -> None:
        if executor not in ("auto", *EXECUTORS):
            raise InputError(unknown(executor, ["auto", *EXECUTORS], "executor"))
        check_manner(defaults, defaults, executor)
        rule_of(rule, defaults, self._absent_is_zero, checked=True)
        self.rule = rule
        self.executor = executor
        self.seed = seed
        self._entries: dict[Any, list[str]] = {}
        self._chosen: Native | str | None = None
        self._steps: int | None = None
        self._whereabouts: list[Any] | None = None
        if isinstance(params, Iterable) and not isinstance(params, Tensor | dict):
            params = list(params)
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, as torch does, after checking its values and its parameters; a Route's is split by rule."""
        there = len(self.param_groups)
        self._chosen = None
        try:
            with in_group(there):
                check_group(param_group)
                groups = split(self.rule, param_group, self.defaults)
                for group in groups:
                    check_keys(group, keys_of(self.rule, group, self.defaults))
                    check_manner({**self.defaults, **group}, self.defaults, self.executor)
                    self._rule({**self.defaults, **group}, checked=True)
            for group in groups:
                super().add_param_group(group)
                check_parameters(self._rule(self.param_groups[-1]), self.param_groups, self.executor)
        except Exception:
            del self.param_groups[there:]
            raise

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; a closure computes the loss, which is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        if self.state or self._whereabouts is None:
            self._follow_parameters()
        how = self._how()
        if isinstance(how, Native) and how.takes(self.param_groups):
            self._natively(how)
            self._steps = None
            return loss
        execute = EXECUTORS["foreach" if isinstance(how, Native) else how]
        if self.defaults["differentiable"]:
            execute = differentiable
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            number = self._steps_made() + 1
            for seats in rounds(self.param_groups):
                self._step_together(seats, number, closure, execute)
                self._steps = number
        return loss

    def _steps_made(self) -> int:
        """How many steps there were with any gradient; where nobody counted, as many as the states tell of."""
        return self._steps if self.state and self._steps is not None else fewest_steps(self.state)

    def _follow_parameters(self) -> None:
        here = whereabouts(self.param_groups)
        if here != self._whereabouts:
            if self.state:
                follow(self.param_groups, [self._rule(group) for group in self.param_groups], self.state)
            self._whereabouts = here
            self._chosen = None

    def _natively(self, how: Native) -> None:
        try:
            how.step(self.param_groups, self.state)
        except Exception:
            # torch does not say which value of a group it cannot compute with; this does.
            for group in self.param_groups:
                self._rule(group)
            raise

    def _how(self) -> Native | str:
        """Who makes the steps; "auto" chooses at the first."""
        if self._chosen is None:
            by_hand = "reference" if self.defaults["differentiable"] else self.executor
            rule = self._rule(self.param_groups[0])
            self._chosen = by_hand if by_hand != "auto" else chosen(self.rule, rule, self.param_groups)
        return self._chosen

    def _step_together(
        self, seats: Sequence[Seat], number: int, closure: Callable[[], Any] | None, execute: Executor
    ) -> None:
        gathering = Gathering(self.param_groups, self.state, self._entries)
        gathering.fill(seats, lambda group: self._rule(self.param_groups[group]))
        parts = gathering.parts
        params = [p for group in self.param_groups for p in group["params"]]
        around = Surroundings(
            step=number,
            noise=keyed_noise(self.param_groups, parts, self.seed),
            gradient=None if closure is None else partial(gradient_elsewhere, closure, params, gathering.seats),
        )
        execute(parts, around)
        gathering.keep()

    def _rule(self, group: Mapping[str, Any], checked: bool = False) -> Rule:
        """The rule that a group's values describe."""
        return rule_of(self.rule, group, self._absent_is_zero, checked, self.defaults["differentiable"])

    def state_dict(self) -> dict[str, Any]:
        """What torch's optimizers save; where a parameter was left out of some steps and no other tells how many there
        were, which is what things done every k steps go by, also their number under "steps".
        """
        packed = super().state_dict()
        made = self._steps_made()
        return {**packed, "steps": made} if made > fewest_steps(self.state) else packed

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state that `state_dict` gave, or that of the class of torch.optim with the same name.

        Raises InputError, before anything is changed, for a state that is not this rule's, of other shapes, of
        parameters with other names or in another order, or of types that would lose digits. Parameters without saved
        state are before their first update.
        """
        packed = dict(state_dict) if isinstance(state_dict, dict) else state_dict
        for pre_hook in self._optimizer_load_state_dict_pre_hooks.values():
            replaced = pre_hook(self, packed)
            packed = packed if replaced is None else replaced
        check_packed(packed)
        steps = saved_steps(packed)
        saved = packed["param_groups"]
        groups = loaded_groups(self.param_groups, saved, every_key(self.rule, self.defaults), expected_keys(self.rule))
        try:
            rules = [self._rule({**ours, **theirs}) for ours, theirs in zip(self.param_groups, groups, strict=True)]
        except InputError as error:
            raise InputError(f"{error} It is of the saved state, which may be another optimizer's state.") from None
        state = loaded_state(self.param_groups, rules, saved, packed["state"])
        self.__setstate__({"state": state, "param_groups": groups, "_steps": steps})
        for post_hook in self._optimizer_load_state_dict_post_hooks.values():
            post_hook(self)

    def evaluating(
        self, model: nn.Module | None = None, batches: Iterable[Any] | None = None
    ) -> AbstractContextManager[None]:
        """Lend the parameters at the weights to evaluate the model with, where the rule has other than those it trains
        (averages, Lookahead, schedule-free rules); they are put back at the end, bit for bit.

        With the model and batches of training data (inputs, or tuples that begin with them) the statistics of its
        BatchNorm layers are measured anew at these weights, and put back too. Saving the model inside saves these
        weights. Raises InputError for a step inside; without `with` nothing happens, and a warning says so.

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
        return Evaluating(self, model, forward)

    def __getstate__(self) -> dict[str, Any]:
        ours = {"rule": self.rule, "executor": self.executor, "seed": self.seed, "_steps": self._steps}
        return {**super().__getstate__(), **ours}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._entries = {}
        self._chosen = None
        self._whereabouts = None
        for group in self.param_groups:
            for name, value in self.defaults.items():
                group.setdefault(name, value)
