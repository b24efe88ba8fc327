"""What is said to names that are not there: of optimizers, and of their arguments."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import torch

from fallline.errors import shown
from fallline.optim.groups import group_values
from fallline.rules import Rule
from fallline.suggestions import did_you_mean, unknown

_Init = TypeVar("_Init", bound=Callable[..., None])


def absent(name: str, known: Sequence[str]) -> str:
    """The message for an attribute that fallline.optim does not have."""
    theirs = getattr(torch.optim, name, None)
    if isinstance(theirs, type) and issubclass(theirs, torch.optim.Optimizer):
        return (
            f"fallline.optim has no {name}. Use torch.optim.{name} itself; fallline.compare takes torch's classes as "
            "they are."
        )
    if theirs is not None and not name.startswith("_"):
        return f"fallline.optim has no {name}. Use torch.optim.{name}, which takes fallline's optimizers too."
    return f"module 'fallline.optim': {unknown(name, known, 'name in it')}"


def keyword_of_face(rule: type[Rule], name: str, signature: inspect.Signature) -> str:
    """The message for a keyword that an optimizer's class does not take."""
    takes = f"It takes {signature}."
    for key, fields in rule.torch_groups.items():
        if name in fields:
            return f"{rule.__name__}: {name} is given in {key}=({', '.join(fields)}), as in torch. {takes}"
    return f"{rule.__name__}: {name!r} is no argument.{did_you_mean(name, signature.parameters)} {takes}"


def for_rules_alone(init: _Init) -> _Init:
    """A constructor of params and a rule that says where a hyperparameter belongs, which it does not take itself."""
    taken = inspect.signature(init).parameters

    @functools.wraps(init)
    def told(self: Any, *args: Any, **kwargs: Any) -> None:
        for name, value in kwargs.items():
            if name not in taken:
                rule = kwargs.get("rule", args[1] if len(args) > 1 else None)
                raise TypeError(_misplaced(name, value, rule, [known for known in taken if known != "self"]))
        init(self, *args, **kwargs)

    return cast(_Init, told)


def _misplaced(name: str, value: Any, rule: Any, taken: Sequence[str]) -> str:
    if not isinstance(rule, Rule) or name not in (*rule.hyperparameters(), *group_values(rule)):
        return f"Optimizer: {unknown(name, taken, 'argument')} Hyperparameters are the rule's."
    fields = rule.core().torch_groups.get(name)
    spelled = f"{name}={shown(value)}" if fields is None else ", ".join(f"{field}=..." for field in fields)
    return (
        f"Optimizer takes no {name}, which is the rule's: Optimizer(params, {type(rule.core()).__name__}({spelled})). "
        "A parameter group may set it too."
    )
