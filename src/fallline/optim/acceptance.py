"""What a parameter group must be: checked when it is added, so that nothing is refused in the middle of a training."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral
from typing import Any

from torch import Tensor, nn

from fallline.errors import InputError, shown
from fallline.optim.names import called
from fallline.optim.views import first_state
from fallline.rules import Rule
from fallline.suggestions import unknown

TORCHS_WRAPPERS = frozenset(["weight_decay", "decoupled_weight_decay", "maximize"])
"""What the groups of torch.optim's classes hold of what is a wrapper here."""
MANNER_KEYS = ("foreach", "fused", "capturable", "differentiable")
"""What they hold of the way that steps are run."""
SCHEDULERS_KEYS = ("initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum", "swa_lr")
"""What schedulers note in groups."""


@contextmanager
def in_group(number: int) -> Iterator[None]:
    """Say in errors which group it is that holds what is wrong."""
    try:
        yield
    except InputError as error:
        raise InputError(f"In parameter group {number}: {error}") from None


def check_arguments(optimizer: str, params: Any, rule: Any, seed: Any) -> None:
    """Refuse what an optimizer cannot be made of: arguments that are swapped, a model in place of its parameters."""
    if isinstance(params, Rule):
        raise InputError(
            "The parameters come first and the rule second: "
            f"Optimizer(model.parameters(), {type(params).__name__}(...))."
        )
    if isinstance(params, nn.Module):
        raise InputError(
            f"{optimizer} needs parameters, and got a model, {type(params).__name__}. Give it model.parameters()."
        )
    if not isinstance(rule, Rule):
        called = " A class of rules must be called first." if isinstance(rule, type) else ""
        raise InputError(f"{optimizer} needs a rule, such as fl.rules.Adam(lr=1e-3); got {shown(rule)}.{called}")
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise InputError(f"seed must be a whole number; got {shown(seed)}.")


def check_group(group: Any) -> None:
    """Refuse what is no parameter group."""
    if not isinstance(group, dict):
        raise InputError(f"A parameter group is a dict with 'params'; got {shown(group)}.")
    if "params" not in group:
        raise InputError(
            f"It has no 'params'; it holds {', '.join(map(str, group)) or 'nothing'}. "
            "Write {'params': layer.parameters(), 'lr': 0.1}."
        )


def check_keys(group: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Refuse a name that is no hyperparameter."""
    for name in group:
        if name not in (*defaults, "params", "param_names", *SCHEDULERS_KEYS):
            raise InputError(unknown(name, defaults, "hyperparameter"))


def check_manner(group: Mapping[str, Any], defaults: Mapping[str, Any], executor: str) -> None:
    """Refuse ways of running a step that exclude each other, or that no executor has.

    `foreach` and `fused` are hints about speed; any rule and any value may be run either way.
    """
    if group.get("capturable"):
        raise InputError(
            "capturable=True is not supported: steps cannot be captured in a CUDA graph, because they count updates "
            "in Python. Leave it out."
        )
    if group.get("foreach") and group.get("fused"):
        raise InputError("foreach=True and fused=True exclude each other. Give one of them.")
    differentiable = bool(defaults.get("differentiable"))
    if bool(group.get("differentiable")) != differentiable:
        raise InputError("differentiable is one for all groups: give it to the optimizer, not to a group.")
    if not differentiable:
        return
    if fast := [name for name in ("foreach", "fused") if group.get(name)]:
        raise InputError(f"differentiable=True and {fast[0]}=True exclude each other. Leave {fast[0]} out.")
    if executor not in ("auto", "reference"):
        raise InputError(
            f"differentiable=True and executor={executor!r} exclude each other: autograd goes through the reference "
            "alone. Leave the executor out."
        )


def sharded(p: Tensor) -> bool:
    """Whether a parameter lies in parts on several processes (DTensor, as FSDP2 makes)."""
    return hasattr(p, "to_local")


def check_parameters(rule: Rule, groups: Sequence[Mapping[str, Any]], executor: str) -> None:
    """Refuse parameters of the last group that the rule or the executor cannot step."""
    number = len(groups) - 1
    if groups[number]["params"]:
        first_state(rule, min(groups[number]["params"], key=Tensor.numel))  # which refuses a state that is none
    for i, p in enumerate(groups[number]["params"]):
        if executor == "compiled" and sharded(p):
            raise InputError(
                f"{called(groups, number, i)} is sharded, and executor='compiled' takes whole tensors. "
                "Choose executor='auto'."
            )
        if not rule.sharded and sharded(p):
            raise InputError(
                f"{called(groups, number, i)} is sharded, and {type(rule.core()).__name__} needs whole matrices. "
                "Choose a rule that takes parts, as all others of fallline.rules do, or replicate the model with "
                "DistributedDataParallel."
            )
        if p.dim() not in rule.ranks:
            name = type(rule.core()).__name__
            raise InputError(
                f"{called(groups, number, i)} has shape {tuple(p.shape)}, and {name} takes tensors of "
                f"{_counted(rule.ranks)} dimensions. Give it to another rule: "
                f"fallline.wrappers.Route({name}(...), others=AdamW(...))."
            )
        if p.is_complex() and rule.acts_on != "element":
            whole = "matrices" if rule.acts_on == "matrix" else "whole tensors"
            raise InputError(
                f"{called(groups, number, i)} is complex ({p.dtype}), and {type(rule).__name__} acts on {whole}: rules "
                "that act on single numbers alone take complex parameters. Train its real and imaginary parts, "
                "torch.view_as_real's, as a real parameter."
            )


def _counted(ranks: range) -> str:
    """How many dimensions, in words."""
    if len(ranks) == 1:
        return str(ranks[0])
    return f"{ranks[0]} or more" if 64 in ranks else f"{ranks[0]} to {ranks[-1]}"
