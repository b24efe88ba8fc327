"""Every rule that fallline exports in every form that it, its wrappers and torch declare."""

import inspect
import itertools
import os
import typing
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pytest
import torch

from fallline import rules, wrappers
from fallline.errors import InputError
from fallline.proof.against import takes_dense
from fallline.proof.trials import describe, variants
from fallline.rules import Rule
from fallline.rules.kinds import kinds_of
from fallline.wrappers import Wrapper
from tests.conformance.training import SHAPES

EXPORTED: dict[str, type[Rule]] = {
    name: rule
    for name, rule in vars(rules).items()
    if isinstance(rule, type) and issubclass(rule, Rule) and rule is not Rule
}
WRAPPERS: dict[str, type[Wrapper]] = {
    name: wrapper
    for name, wrapper in vars(wrappers).items()
    if isinstance(wrapper, type) and issubclass(wrapper, Wrapper) and wrapper is not Wrapper
}
NAMESAKES: dict[str, type[Rule]] = {
    name: rule for name, rule in EXPORTED.items() if vars(rule).get("namesake") is not None
}
FULL = os.environ.get("FALLLINE_CONFORMANCE") == "full"
_NOT_THE_FORMULA = ("params", "foreach", "capturable", "differentiable", "fused")


def forms() -> list[Any]:
    """Every rule with its switches on and off, its optional floats absent and present, and as it is by default in
    each wrapper that it takes; every wrapper in each form of its own and in each other wrapper that it takes, the
    rules taking turns inside. `FALLLINE_CONFORMANCE=full` (`make conformance`) wraps every form of every rule.
    """
    bare = [form for rule in EXPORTED.values() for form in variants(rule())]
    inside = bare if FULL else [rule() for rule in EXPORTED.values()]
    wrapped = [made for form in inside for wrapper in WRAPPERS.values() for made in fullest(wrapper, form)]
    turns = itertools.cycle(EXPORTED.values())
    fewer = [
        form
        for wrapper in WRAPPERS.values()
        for full in _in_turn([wrapper], turns)
        for form in variants(full)
        if form.rule == full.rule and form != full
    ]
    nested = [made for pair in itertools.permutations(WRAPPERS.values(), 2) for made in _in_turn(pair, turns)]
    return [_case(form, describe_nested(form)) for form in (*bare, *wrapped, *fewer, *nested)]


def cases() -> list[Any]:
    """(rule, type, whether parameters differ in their counts of updates): bare rules in double precision with counts
    that differ and in single precision with the same, wrapped ones in one of the two, turn about.
    `FALLLINE_CONFORMANCE=full` has every form in both types with both kinds of counts.
    """
    usual = [(torch.float64, True), (torch.float32, False)]
    every = [*usual, (torch.float64, False), (torch.float32, True)]
    return [
        pytest.param(
            form.values[0],
            dtype,
            staggered,
            id=f"{form.id}-{str(dtype).removeprefix('torch.')}-{'different' if staggered else 'same'} t",
        )
        for number, form in enumerate(forms())
        for dtype, staggered in (
            every if FULL else [usual[number % 2]] if isinstance(form.values[0], Wrapper) else usual
        )
    ]


def cases_of_types() -> list[Any]:
    """(rule, type): the cases, whatever the counts."""
    found = {(case.values[:2]): case.id.rpartition("-")[0] for case in cases()}
    return [pytest.param(*values, id=name) for values, name in found.items()]


def _in_turn(nesting: Sequence[type[Wrapper]], turns: Iterator[type[Rule]]) -> list[Wrapper]:
    """Wrappers, the innermost first, around the next rule that takes them; none where no rule does."""
    for rule in itertools.islice(turns, len(EXPORTED)):
        made: list[Any] = [_exact(rule())]
        for wrapper in nesting:
            made = [outer for inner in made for outer in fullest(wrapper, inner)]
        if made:
            return made
    return []


def _exact(rule: Rule) -> Rule:
    """The rule without rounding to bfloat16 inside, which a wrapper that goes back on a step would enlarge."""
    return rule.replace({"bfloat16": False}) if rule.rounds else rule


def fullest(wrapper: type[Wrapper], rule: Rule) -> list[Wrapper]:
    """The wrapper around the rule, where it takes the rule, with its whole numbers and all its optional floats 2: what
    is done every so many steps is then done, and left out, within the steps of a test, and a limit is met by some
    gradients.
    """
    kinds = kinds_of(wrapper).items()
    values: dict[str, Any] = {name: 2 for name, kind in kinds if kind.type is int}
    values |= {name: 2.0 for name, kind in kinds if kind.is_float and kind.optional}
    try:
        return [wrapper(rule, **values)]
    except InputError:
        return []


def refused(wrapper: type[Wrapper], rule: type[Rule]) -> bool:
    """Whether a rule, or a wrapper, declares that the wrapper cannot stand around it."""
    return wrapper.name in rule.refuses


def wrappers_of(rule: Rule) -> list[type[Rule]]:
    """The classes of all wrappers, from the outermost."""
    found: list[type[Rule]] = []
    while isinstance(rule, Wrapper):
        found.append(type(rule))
        rule = rule.rule
    return found


def describe_nested(rule: Rule) -> str:
    """The names of all wrappers and of the rule, with the values."""
    names = [kind.__name__ for kind in (*wrappers_of(rule), type(rule.core()))]
    return "-".join(names) + describe(rule).removeprefix(names[0])


def torch_class(rule: type[Rule]) -> type[torch.optim.Optimizer]:
    """The optimizer of torch with the rule's formula."""
    assert rule.namesake is not None
    found = getattr(torch.optim, rule.namesake)
    assert issubclass(found, torch.optim.Optimizer)
    return found


def torch_settings() -> list[Any]:
    """(rule, keywords): every combination of torch's switches that it accepts, every other keyword moved."""
    return [
        _case((rule, keywords), f"{name}({', '.join(f'{k}={v}' for k, v in keywords.items())})")
        for name, rule in NAMESAKES.items()
        for keywords in _keyword_variants(rule, torch_class(rule))
    ]


@cache
def shapes_of(rule: type[Rule]) -> list[tuple[int, ...]]:
    """The shapes that both the rule and its namesake in torch can step."""
    made: Any = torch_class(rule)

    def taken(shape: tuple[int, ...]) -> bool:
        p = torch.zeros(shape, requires_grad=True)
        p.grad = torch.zeros(shape) if takes_dense(made) else torch.zeros(shape).to_sparse()
        try:
            made([p]).step()
        except (ValueError, ZeroDivisionError):
            return False
        return len(shape) in rule.ranks

    return [shape for shape in SHAPES if taken(shape)]


def _keyword_variants(rule: type[Rule], optimizer: Any) -> list[dict[str, Any]]:
    switches: dict[str, list[Any]] = {}
    others: list[dict[str, Any]] = []
    for name, parameter in inspect.signature(optimizer).parameters.items():
        default = parameter.default
        if name in _NOT_THE_FORMULA:
            continue
        if isinstance(default, bool):
            switches[name] = [False, True]
        elif default == 0:
            switches[name] = [0.0, 0.1]
        elif isinstance(default, tuple):
            known = tuple(1e-3 if x is None else x for x in default)
            others += [{name: tuple(factor * x for x in known)} for factor in (0.7, 1.3)]
        elif default is None:
            others += [{name: choice} for choice in typing.get_args(kinds_of(rule)[name].type)]
        elif default == 1:
            others += [{name: factor} for factor in (0.7, 1.3)]
        elif isinstance(default, int):
            others.append({name: default + 1})
        else:
            # What begins at the millionth step is moved to where a test gets.
            others.append({name: 0.7 * default if default < 1e3 else 3.0})
    combined = [
        {name: value for name, value in zip(switches, values, strict=True) if value}
        for values in itertools.product(*switches.values())
    ]
    return [keywords for keywords in (*combined, *others) if _accepted(optimizer, keywords)]


def _accepted(optimizer: Any, keywords: dict[str, Any]) -> bool:
    try:
        optimizer([torch.zeros(2, 2, requires_grad=True)], **keywords)
    except ValueError:
        return False
    return True


def _case(value: Any, name: str) -> Any:
    return pytest.param(value, id=name)
