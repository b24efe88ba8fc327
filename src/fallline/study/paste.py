"""What to paste: the code that makes an optimizer with the values that were found."""

import inspect
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch

from fallline import wrappers
from fallline.optim.groups import group_values
from fallline.proof.against import takes_dense
from fallline.rules import SGD, Rule
from fallline.study.algorithms import BUILT_IN
from fallline.study.contenders import wrappers_of
from fallline.study.specification import OptimizerSpecification
from fallline.training.treatments import active, penalties, treated

CROSS_ENTROPY = ("digits", "mnist")
"""The built-in problems whose loss is torch's cross-entropy."""
_TORCH_SPELLING = {"l2.weight_decay": "weight_decay", "decoupled.weight_decay": "weight_decay"}


def paste_line(optimizer: OptimizerSpecification, hyperparameters: Mapping[str, Any]) -> str:
    """Python code for an optimizer: torch.optim's where torch has the formula, else fallline's.

    >>> momentum = OptimizerSpecification(label="momentum", source="momentum", kind="Momentum", hyperparameters={})
    >>> paste_line(momentum, {"lr": 0.1, "momentum": 0.9, "dampening": 0.0, "nesterov": False})
    'torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)'
    """
    rule = _built_in(optimizer)
    if not optimizer.is_rule:
        place = "torch.optim." if str(optimizer.source).startswith("torch.optim") else ""
        return f"{place}{optimizer.kind}(model.parameters(), {_arguments(hyperparameters)})"
    plain = rule is not None and optimizer.wrappers in ((), ("L2",)) and optimizer.others is None
    if plain and (found := _torch_line(rule, hyperparameters)):
        return found
    return f"fallline.optim.Optimizer(model.parameters(), {_nested(optimizer, rule, hyperparameters)})"


def paste_lines(
    optimizer: OptimizerSpecification,
    hyperparameters: Mapping[str, Any],
    factors: Mapping[str, Any],
    penalise: str,
    schedule: str,
    steps: int,
    problem: str | None = None,
) -> str:
    """Python code for an optimizer under treatments and a schedule of so many steps; one line where there are none.

    `problem` is the name that a problem can be loaded by: the loss of a built-in one is known.
    """
    around = treated(SGD(), factors)
    line = paste_line(optimizer, hyperparameters)
    if wrappers_of(around):
        outer = {name: value for name, value in around.hyperparameters().items() if "." in name}
        whole = optimizer.model_copy(update={"wrappers": (*wrappers_of(around), *optimizer.wrappers)})
        rule = _nested(whole, _built_in(optimizer), {**hyperparameters, **outer})
        line = f"fallline.optim.Optimizer({_parameters(penalties(factors), penalise)}, {rule})"
    more = [*_scheduled(schedule, steps), *_smoothed(factors, problem), *_stopped(factors)]
    return "\n".join([f"optimizer = {line}", *more]) if more else line


def _scheduled(schedule: str, steps: int) -> list[str]:
    if schedule == "constant":
        return []
    call = "schedule(step, {}, losses)" if schedule.startswith("plateau") else "schedule(step, {})"
    return [
        f"schedule = fallline.schedules.schedule({schedule!r})",
        f"scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: {call.format(steps)})",
    ]


def _smoothed(factors: Mapping[str, Any], problem: str | None) -> list[str]:
    smoothing = factors.get("label_smoothing")
    if not smoothing:
        return []
    if problem in CROSS_ENTROPY:
        return [
            "# In training alone; evaluations take the loss without smoothing.",
            f"loss_function = torch.nn.CrossEntropyLoss(label_smoothing={smoothing!r})",
        ]
    return [
        f"# Give your loss label_smoothing={smoothing!r}, in training alone: evaluations took it without smoothing."
    ]


def _stopped(factors: Mapping[str, Any]) -> list[str]:
    patience = active(factors).get("patience")
    if patience is None:
        return []
    epochs = "an epoch" if patience == 1 else f"{patience:g} epochs"
    return [
        f"# Stop after {epochs} without a lower validation loss and put back the weights that had the lowest,",
        f"# as fallline.fit(..., patience={patience:g}) does.",
    ]


def _parameters(penalised: list[str], penalise: str) -> str:
    if not penalised or penalise == "all":
        return "model.parameters()"
    own = f", {penalise.rpartition(':')[2]}" if penalise != "weights" else ""
    return f"fallline.optim.weights_only(model, {penalised!r}{own})"


def _built_in(optimizer: OptimizerSpecification) -> type[Rule] | None:
    own = optimizer.source is not None and optimizer.source.lower() not in BUILT_IN
    return next((rule for rule in BUILT_IN.values() if not own and rule.__name__ == optimizer.kind), None)


def _torch_line(rule: type[Rule] | None, values: Mapping[str, Any]) -> str | None:
    namesake = next(
        (vars(kind)["namesake"] for kind in getattr(rule, "__mro__", ()) if vars(kind).get("namesake")), None
    )
    if rule is None or namesake is None or not _torch_does_as_measured(rule, namesake):
        return None
    known = inspect.signature(getattr(torch.optim, namesake)).parameters
    own = {name: value for name, value in values.items() if name not in _TORCH_SPELLING}
    spelled = group_values(rule().bind(own))
    spelled |= {_TORCH_SPELLING[name]: value for name, value in values.items() if name in _TORCH_SPELLING}
    defaults = group_values(rule())
    if any(name not in known and value != defaults.get(name) for name, value in spelled.items()):
        return None
    changed = {
        name: value
        for name, value in spelled.items()
        if name in known and (name == "lr" or (value or 0) != (known[name].default or 0))
    }
    return f"torch.optim.{namesake}(model.parameters(), {_arguments(changed)})"


def _torch_does_as_measured(rule: type[Rule], namesake: str) -> bool:
    """Whether torch's class trains by the gradients of a study, and leaves the weights that it evaluated."""
    return rule.eval_point is Rule.eval_point and takes_dense(getattr(torch.optim, namesake))


def _nested(optimizer: OptimizerSpecification, rule: type[Rule] | None, values: Mapping[str, Any]) -> str:
    defaults = rule().hyperparameters() if rule is not None else {}
    own = {n: v for n, v in values.items() if "." not in n and (n == "lr" or n not in defaults or v != defaults[n])}
    place = "fallline.rules." if rule is not None else ""
    code = f"{place}{optimizer.kind}({_arguments(own)})"
    if optimizer.others is not None:
        code = f"fallline.wrappers.Route({code}, others={_others(optimizer.others, values)})"
    for name in reversed(optimizer.wrappers):
        kind = getattr(wrappers, name, None)
        prefix = f"{kind.name}." if kind is not None else f"{name.lower()}."
        absent = {field.name for field in fields(kind or Rule) if field.default is None}
        named = {n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)}
        outer = {n: v for n, v in named.items() if v is not None or n not in absent}
        place = "fallline.wrappers." if kind is not None else ""
        code = f"{place}{name}({', '.join(filter(None, [code, _arguments(outer)]))})"
    return code


def _others(name: str, values: Mapping[str, Any]) -> str:
    rule = BUILT_IN.get(name.lower())
    defaults = rule().hyperparameters() if rule is not None else {}
    own = {n.removeprefix("others."): value for n, value in values.items() if n.startswith("others.")}
    changed = {n: value for n, value in own.items() if n == "lr" or value != defaults.get(n)}
    return f"{'' if rule is None else 'fallline.rules.'}{name}({_arguments(changed)})"


def _arguments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())
