"""Why a member cannot be trained in a population, as far as it can be told without trying."""

from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import shorten

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from fallline.cohorts.program import has_evaluation_point
from fallline.errors import FalllineError
from fallline.optim import Optimizer
from fallline.problems.copied import copied
from fallline.rules import Rule
from fallline.training.member import Member


class CannotMap(Exception):
    """A cohort cannot be trained as one program; the message says why."""


def reason(member: Member, model: nn.Module) -> str | None:
    """Why a member with this model cannot be mapped; None if nothing speaks against trying."""
    if not isinstance(member.algorithm, Rule):
        return f"{member.optimizer} is no rule of fallline's"
    if member.diagnostics != "none":
        return "its layers are watched"
    if any(p.is_complex() for p in model.parameters()):
        return "it has complex parameters"
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        return "it is scripted by torch.jit"
    if any(hasattr(module, "_orig_mod") for module in model.modules()):
        return "it is compiled by itself; give the module that torch.compile was given"
    if any(p._backward_hooks or p._post_accumulate_grad_hooks for p in model.parameters()):
        return "its parameters have hooks"
    if any(isinstance(module, nn.RNNBase) and module.dropout > 0 for module in model.modules()):
        return "its recurrent layers drop out inside"
    if any(getattr(module, "sparse", False) for module in model.modules()):
        return "its gradients are sparse"
    if any(isinstance(module, _BatchNorm) for module in model.modules()) and _moves(member, model):
        return "BatchNorm's statistics are measured anew where it is evaluated"
    return None


def _moves(member: Member, model: nn.Module) -> bool:
    optimizer = member.make_optimizer(copied(model))
    assert isinstance(optimizer, Optimizer)
    return any(has_evaluation_point(optimizer._rule(group)) for group in optimizer.param_groups)


@contextmanager
def mapping() -> Iterator[None]:
    """Inside, whatever torch raises means that members cannot be mapped: they can still be trained one by one."""
    try:
        yield
    except (CannotMap, FalllineError):
        raise
    except Exception as error:
        raise CannotMap(_told(error)) from error


def _told(error: Exception) -> str:
    """An error that torch raised while a step was mapped, as a reason."""
    first = str(error).strip().partition("\n")[0]
    if "randomness" in first:
        return "it draws random numbers of its own"
    if "data-dependent" in first or type(error).__name__ == "GuardOnDataDependentSymNode":
        return "what it computes depends on the values of tensors"
    return f"torch cannot map it ({type(error).__name__}: {shorten(first, 160, placeholder=' ...')})"
