"""What a rule keeps and can do, found by trying it on small tensors: no table of it is kept anywhere."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fallline import optim, wrappers
from fallline.errors import InputError
from fallline.executors import initial_state
from fallline.optim import Optimizer
from fallline.rules import SGD, Now, Rule
from fallline.rules.kinds import kinds_of
from fallline.wrappers import Wrapper
from fallline.wrappers.route import branches

WRAPPERS: dict[str, type[Rule]] = {
    name.lower(): kind
    for name, kind in vars(wrappers).items()
    if isinstance(kind, type) and issubclass(kind, Rule) and kind not in (Rule, Wrapper)
}
MATRIX, VECTOR = (64, 64), (64,)


def abilities(rule: Rule) -> dict[str, Any]:
    """What a rule with its values keeps beside a parameter, which parameters and gradients it takes, and what it asks
    of the model.

    Where a switch or a quantity that can be absent changes an answer, its name is there too.
    """
    return {
        "state_words": _state_words(rule),
        "acts_on": _acts_on(rule),
        "ranks": [rule.ranks[0], rule.ranks[-1]],
        "complex": _answer(rule, _takes_complex),
        "sparse": _answer(rule, _takes_rows),
        # Declared, and held by training in two processes: no single process can try it.
        "sharded": {"holds": rule.sharded, "changed_by": []},
        "evaluated_elsewhere": _answer(rule, _evaluated_elsewhere),
        **{name: _answer(rule, partial(_asks, what)) for name, what in _QUESTIONS.items()},
    }


_QUESTIONS = {"further_gradients": "gradient", "whole_model_totals": "total", "noise": "noise", "rhythm": "due"}


def exchanges_state(kind: type[Rule]) -> bool:
    """Whether the state of torch's class of that name is loaded here, and ours there."""
    namesake = vars(kind).get("namesake")
    if namesake is None:
        return False
    p, q = (torch.ones(2, 2, requires_grad=True) for _ in range(2))
    theirs = getattr(torch.optim, namesake)([p])
    p.grad = torch.ones(2, 2) if namesake != "SparseAdam" else torch.ones(2, 2).to_sparse(1)
    theirs.step()
    ours = getattr(optim, kind.__name__)([q])
    try:
        ours.load_state_dict(theirs.state_dict())
        theirs.load_state_dict(ours.state_dict())
    except (InputError, ValueError):
        return False
    return True


def around(kind: type[Rule], rule: Rule) -> Rule:
    """A wrapper around a rule, given what it has no default for; InputError where it cannot stand there."""
    return kind(rule, **_needed(kind))  # type: ignore[call-arg]


def refused(rule: Rule) -> dict[str, str]:
    """The wrappers that cannot stand around a rule, and why."""
    reasons = {}
    for name, kind in WRAPPERS.items():
        try:
            if not isinstance(rule, kind):
                around(kind, rule)
        except InputError as error:
            reasons[name] = str(error)
    return reasons


def _needed(kind: type[Rule]) -> dict[str, Any]:
    rules: dict[str, Any] = {
        field.name: SGD()
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.name != "rule"
    }
    limits = [{name: 1.0} for name, field in kinds_of(kind).items() if field.optional and field.is_float]
    for further in ({}, *limits):
        try:
            kind(SGD(), **rules, **further)  # type: ignore[call-arg]
        except InputError:
            continue
        return {**rules, **further}
    return rules


def _changed(rule: Rule) -> dict[str, Rule]:
    """The rule with one switch turned, or one quantity put in or left out, by what was changed."""
    values = rule.hyperparameters()
    found = {}
    for name, kind in rule.kinds().items():
        if not (name.startswith(f"{rule.name}.") if isinstance(rule, Wrapper) else rule.core() is rule):
            continue
        given = 0.5 if values[name] is None else None
        if kind.type is bool:
            given = not values[name]
        elif not (kind.optional and kind.is_float):
            continue
        try:
            found[name] = rule.replace({name: given})
        except InputError:
            continue
    return found


def _answer(rule: Rule, test: Callable[[Rule], bool]) -> dict[str, Any]:
    holds = test(rule)
    return {"holds": holds, "changed_by": [name for name, other in _changed(rule).items() if test(other) != holds]}


def _acts_on(rule: Rule) -> str:
    """The smallest piece that a rule must see whole; of one that routes, the largest of its branches'."""
    return max((branch.acts_on for branch in branches(rule).values()), key=("element", "tensor", "matrix").index)


def _state_words(rule: Rule) -> dict[str, Any]:
    words, numbers = _words(rule, MATRIX)
    others = {name: (other, _words(other, MATRIX)[0]) for name, other in _changed(rule).items()}
    growing = {name: other.hyperparameters()[name] for name, (other, kept) in others.items() if kept > words}
    return {
        "per_weight": words,
        "at_most": _words(rule.replace(growing), MATRIX)[0],
        "numbers_per_tensor": numbers,
        "of_a_vector": _words(rule, VECTOR)[0] if 1 in rule.ranks else None,
        "changed_by": {name: kept for name, (_, kept) in others.items() if kept != words},
    }


def _words(rule: Rule, shape: tuple[int, ...]) -> tuple[float, int]:
    """How many numbers of state there are for each of a parameter's, and how many for the whole of it."""
    p = torch.zeros(shape)
    entries = initial_state(rule, p).values()
    return sum(x.numel() for x in entries if x.dim()) / p.numel(), sum(not x.dim() for x in entries)


def _stepped(rule: Rule, p: Tensor, g: Tensor) -> bool:
    def closure() -> None:
        p.grad = g

    try:
        Optimizer([p.requires_grad_()], rule, executor="reference").step(closure)
    except InputError:
        return False
    return True


def _takes_complex(rule: Rule) -> bool:
    return _stepped(rule, torch.ones(2, 2, dtype=torch.complex64), torch.ones(2, 2, dtype=torch.complex64))


def _takes_rows(rule: Rule) -> bool:
    return _stepped(rule, torch.ones(3, 2), torch.ones(3, 2).to_sparse(1))


def _evaluated_elsewhere(rule: Rule) -> bool:
    p = torch.ones(2, 2)
    return rule.eval_point(p, initial_state(rule, p)) is not p


def _asks(what: str, rule: Rule) -> bool:
    return what in _asked(rule)


def _asked(rule: Rule) -> set[str]:
    """What a step asks for beside the gradient, where all is due that is done every k steps and where nothing is."""
    asked: set[str] = set()

    def known(what: str, answer: Any) -> Callable[..., Any]:
        def ask(*_: Any, **__: Any) -> Any:
            asked.add(what)
            return answer

        return ask

    p = torch.ones(2, 2)
    for due in (True, False):
        now = Now(2, known("total", torch.tensor(1.0)), known("noise", p), known("due", due), known("gradient", p))
        rule.step(p, torch.ones(2, 2), initial_state(rule, p), now)
    return asked
