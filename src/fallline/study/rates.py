"""What a learning-rate search trains: a problem with an optimizer by name, or a model and optimizer that are there."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from fallline.errors import InputError, WrongArgument, shown
from fallline.problems import Prepared, Problem, prepare, rehearse
from fallline.randomness import key
from fallline.study.defaults import default_batch_size
from fallline.study.named import NamedProblem
from fallline.study.parsing import contender
from fallline.study.planning import device_of, make_plan
from fallline.training import Budget, Member
from fallline.training.repeatable import RepeatableTraining


def of_problem(
    problem: NamedProblem, optimizer: Any, low: float, batch_size: int | None, seed: int, device: str
) -> RepeatableTraining:
    """A new model of a problem with an optimizer by name, rule or class, its learning rate left open.

    Raises InputError for what cannot be trained, and for an optimizer whose learning rate is set or does not exist.
    """
    found = contender(optimizer, tune=False)
    if "lr" not in found.hyperparameters:
        raise InputError(f"{found.label} has no learning rate `lr` to look for.")
    if isinstance(optimizer, str) and "lr" in found.grid:
        raise InputError(f"{optimizer!r} sets lr, which is what is looked for; leave it out.")
    if len(found.settings) != 1:
        raise InputError(
            f"{optimizer!r} gives {len(found.settings)} settings; here each hyperparameter needs one value."
        )
    prepared = prepare(problem.problem, seed, device_of(device))
    settings: Mapping[str, Any] = {**found.settings[0], "lr": low}
    size = _batch_size(prepared, batch_size)
    member = Member(problem.name, found.label, found.algorithm, settings, problem.problem.factors, batch_size=size)
    model, _ = rehearse(prepared, seed, member.factors, size)
    made = member.make_optimizer(model, noise_seed=key(seed, "noise", 0) % 2**63)
    return RepeatableTraining(member, model, made, prepared, seed)


def of_model(
    model: nn.Module, optimizer: Any, loss: Any, data: Any, batch_size: int | None, seed: int
) -> RepeatableTraining:
    """A model and a live torch optimizer as they stand; `data` are what a Problem takes.

    Raises InputError for data that cannot be trained on, and an optimizer that does not train this model.
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise InputError(
            f"With a model, the optimizer must be one that trains it, a torch Optimizer; got {shown(optimizer)}."
        )
    if loss is None or data is None:
        raise InputError("With a model and an optimizer, give loss=... and data=... too.")
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if not any(id(p) in trained for p in model.parameters()):
        raise InputError(f"{type(optimizer).__name__} has none of the parameters of {type(model).__name__}.")
    # A bound method is taken as it is, where a module would be copied; the optimizer may train the loss too.
    called = loss.forward if isinstance(loss, nn.Module) else loss
    problem = Problem(model=model, loss=called, train=data, name=type(model).__name__)
    prepared = prepare(problem, seed, next(model.parameters()).device)
    label = type(optimizer).__name__
    member = Member(problem.name, label, type(optimizer), {}, batch_size=_batch_size(prepared, batch_size))
    training = RepeatableTraining(member, model, optimizer, prepared, seed)
    with training.lent():
        training.rehearse()
    return training


def threads_for(training: RepeatableTraining, steps: int, asked: int | None) -> int:
    """The threads that a study of this training would use."""
    member, device = training.member, training.problem.device
    return make_plan([member], {member.problem: training.problem}, Budget(steps=steps), device, threads=asked).threads


def _batch_size(problem: Prepared, asked: int | None) -> int | None:
    name, rows = problem.problem.name, problem.train.rows
    if rows is None:
        if asked is not None:
            raise InputError(f"The training data of {name} is a DataLoader, whose own batch size stands; give none.")
        return None
    if asked is None:
        return default_batch_size([problem])
    if isinstance(asked, bool) or not isinstance(asked, int) or not 1 <= asked <= rows:
        raise WrongArgument(
            ("batch_size", f" must be a whole number from 1 to the {rows} training rows of {name}; got {shown(asked)}")
        )
    return asked
