"""The torch.optim class of a rule, with torch's own signature where torch has the name."""

import inspect
from typing import Any

import torch

from fallline.optim.acceptance import check_arguments
from fallline.optim.groups import group_values
from fallline.optim.optimizer import Optimizer
from fallline.optim.spelling import keyword_of_face
from fallline.rules import Rule

_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_EXTRAS = {"weight_decay": 0.0, "maximize": False}
_RUN: dict[str, Any] = {"executor": "auto", "seed": 0, "differentiable": False}


def face(rule: type[Rule]) -> type[Optimizer]:
    """A drop-in optimizer class for a rule.

    The signature is torch's, name for name and default for default, where the rule declares a namesake;
    fields that torch lacks, `executor`, `seed` and `differentiable` follow as keywords. Other rules take their fields,
    `weight_decay` (coupled L2) and `maximize`.

    >>> import torch
    >>> from fallline.rules import Adam
    >>> face(Adam)([torch.zeros(2, requires_grad=True)], lr=0.1).param_groups[0]["betas"]
    (0.9, 0.999)
    """
    namesake = vars(rule).get("namesake")
    parameters = _torch_parameters(namesake) if namesake else _own_parameters(rule)
    known = {parameter.name for parameter in parameters}
    for name, default in group_values(rule()).items():
        if name not in known:
            parameters.append(inspect.Parameter(name, _KEYWORD, default=default))
    parameters += [inspect.Parameter(name, _KEYWORD, default=x) for name, x in _RUN.items() if name not in known]
    signature = inspect.Signature(parameters)

    def __init__(self: Optimizer, *args: Any, **kwargs: Any) -> None:
        for name in kwargs:
            if name not in signature.parameters:
                raise TypeError(keyword_of_face(rule, name, signature))
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{rule.__name__}: {error}; it takes {signature}") from None
        bound.apply_defaults()
        values = dict(bound.arguments)
        params, executor, seed = values.pop("params"), values.pop("executor"), values.pop("seed")
        check_arguments(rule.__name__, params, rule(), seed)
        self._begin(params, rule(), values, executor, seed)

    def state_dict(self: Optimizer) -> dict[str, Any]:
        packed = Optimizer.state_dict(self)
        if not rule.torch_step:
            counted = packed["state"].items()
            kept = {i: {name: x for name, x in state.items() if name != "step"} for i, state in counted}
            packed["state"] = {i: state for i, state in kept.items() if state}
        elif rule.torch_step is int:
            packed["state"] = {i: {**state, "step": int(state["step"])} for i, state in packed["state"].items()}
        return packed

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    made = type(
        rule.__name__,
        (Optimizer,),
        {
            "__init__": __init__,
            "state_dict": state_dict,
            "__doc__": (rule.__doc__ or "").partition(">>>")[0].rstrip(),
            "__signature__": signature,
            "__module__": "fallline.optim",
            "_absent_is_zero": True,
        },
    )
    return made


def _torch_parameters(namesake: str) -> list[inspect.Parameter]:
    signature = inspect.signature(getattr(torch.optim, namesake))
    return [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]


def _own_parameters(rule: type[Rule]) -> list[inspect.Parameter]:
    values = {name: 0.0 if value is None else value for name, value in group_values(rule()).items()}
    values |= {name: default for name, default in _EXTRAS.items() if name not in values}
    return [
        inspect.Parameter("params", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        *(
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=value)
            for name, value in values.items()
        ),
    ]
