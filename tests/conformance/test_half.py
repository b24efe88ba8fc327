"""Every rule in every form of its own on bfloat16 parameters: all executors do as the reference does.

A step keeps eight bits; executors may round intermediate results, and hyperparameters, in other places.
"""

import pytest
import torch

from fallline.executors import Compiled, Part, Update, foreach, population, reference
from fallline.executors.kernels import uncompiled
from fallline.proof.trials import furthest, moments, surroundings, variants
from fallline.rules import Rule
from tests.conformance.variants import EXPORTED

BITS = 2**-5
FORMS = pytest.mark.parametrize(
    "rule", [pytest.param(form, id=str(form)) for rule in EXPORTED.values() for form in variants(rule())]
)


def parts_of(rule: Rule) -> list[Part]:
    return list(moments(rule, torch.bfloat16, steps=2))


def allowed(rule: Rule) -> float:
    return 0.25 if rule.rounds or rule.amplifies > 1 else BITS


@FORMS
def test_foreach_equals_reference(rule: Rule) -> None:
    for part in parts_of(rule):
        around = surroundings(part.t[0])
        update, right = foreach([part.copy()], around)[0], reference([part.copy()], around)[0]
        assert {d.dtype for d in update.decrement} == {torch.bfloat16}
        assert furthest(update, right)[0] <= allowed(rule)


@FORMS
def test_captured_formula_equals_reference(rule: Rule) -> None:
    for part in parts_of(rule):
        around = surroundings(part.t[0])
        right, mine = reference([part.copy()], around)[0], part.copy()
        Compiled(uncompiled)([mine], around)
        after = Update([p - d for p, d in zip(part.p, right.decrement, strict=True)], right.state)
        assert {p.dtype for p in mine.p} == {torch.bfloat16}
        assert furthest(Update(mine.p, mine.state), after)[0] <= allowed(rule)


@FORMS
def test_population_equals_reference(rule: Rule) -> None:
    for part in parts_of(rule):
        around = surroundings(part.t[0])
        values = {name: torch.full((2,), value, dtype=torch.float64) for name, value in rule.floats().items()}
        twice = [[torch.stack([x, x]) for x in column] for column in (part.p, part.g)]
        states = [{name: torch.stack([x, x]) for name, x in state.items()} for state in part.state]
        update = population(rule, values, *twice, states, part.t[0], around)
        right = reference([part.copy()], around)[0]
        for j in range(2):
            mine = Update([d[j] for d in update.decrement], [{n: x[j] for n, x in s.items()} for s in update.state])
            assert furthest(mine, right)[0] <= allowed(rule)
