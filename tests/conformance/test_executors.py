"""Every rule in every form through every executor, one step at a time."""

import itertools
import re

import pytest
import torch

from fallline.errors import InputError
from fallline.executors import Update, foreach, in_place, reference
from fallline.proof.members import hold, members_apart, tolerance
from fallline.proof.trials import alone, moments, surroundings
from fallline.rules import SGD, Rule
from fallline.wrappers import Wrapper
from tests.conformance.variants import EXPORTED, WRAPPERS, cases, cases_of_types, forms, fullest, refused, wrappers_of

CASES = pytest.mark.parametrize(("rule", "dtype", "staggered"), cases())


def test_every_exported_rule_has_a_form() -> None:
    covered = {type(case.values[0].core()).__name__ for case in forms()}
    assert covered == set(EXPORTED)


def test_every_exported_wrapper_has_a_form_around_every_rule_and_every_wrapper() -> None:
    nestings = {tuple(wrappers_of(case.values[0])) for case in forms()}
    around = {(*wrappers_of(case.values[0]), type(case.values[0].core())) for case in forms()}
    pairs = itertools.product(WRAPPERS.values(), EXPORTED.values())
    assert {(wrapper, rule) for wrapper, rule in pairs if not refused(wrapper, rule)} <= around
    pairs = itertools.permutations(WRAPPERS.values(), 2)
    assert {(outer, inner) for outer, inner in pairs if not refused(outer, inner)} <= nestings


REFUSED = [
    pytest.param(wrapper, rule, id=f"{wrapper.__name__}-{rule.__name__}")
    for wrapper in WRAPPERS.values()
    for rule in (*EXPORTED.values(), *WRAPPERS.values())
    if refused(wrapper, rule)
]


@pytest.mark.parametrize(("wrapper", "rule"), REFUSED)
def test_what_a_rule_refuses_is_refused_at_any_depth_with_its_reason(wrapper: type[Wrapper], rule: type[Rule]) -> None:
    made = rule(SGD()) if issubclass(rule, Wrapper) else rule()
    why = re.escape(f"{wrapper.__name__} cannot stand around {rule.__name__}: {rule.refuses[wrapper.name]}")
    with pytest.raises(InputError, match=why):
        wrapper(made)
    between = next(
        other
        for other in WRAPPERS.values()
        if other not in (wrapper, rule)
        and not refused(other, rule)
        and not refused(wrapper, other)
        and fullest(other, made)
    )
    with pytest.raises(InputError, match=why):
        wrapper(fullest(between, made)[0])


def test_refusals_name_wrappers() -> None:
    names = {wrapper.name for wrapper in WRAPPERS.values()}
    for rule in (*EXPORTED.values(), *WRAPPERS.values()):
        assert rule.refuses.keys() <= names


@CASES
def test_reference_equals_each_parameter_alone(rule: Rule, dtype: torch.dtype, staggered: bool) -> None:
    for part in moments(rule, dtype, staggered=staggered, steps=2):
        around = surroundings(part.t[0])
        update = reference([part.copy()], around)[0]
        hold("reference", update, alone(part.copy(), around), dtype)
        assert [d.dtype for d in update.decrement] == [dtype] * len(part.p)


@CASES
def test_foreach_equals_reference(rule: Rule, dtype: torch.dtype, staggered: bool) -> None:
    for part in moments(rule, dtype, staggered=staggered, steps=2):
        around = surroundings(part.t[0])
        update = foreach([part.copy()], around)[0]
        hold("foreach", update, reference([part.copy()], around)[0], dtype, rule)
        assert [d.dtype for d in update.decrement] == [dtype] * len(part.p)


@CASES
def test_foreach_in_place_equals_reference(rule: Rule, dtype: torch.dtype, staggered: bool) -> None:
    for part in moments(rule, dtype, staggered=staggered, steps=2):
        around = surroundings(part.t[0])
        right, mine = reference([part.copy()], around)[0], part.copy()
        in_place(foreach)([mine], around)
        hold("foreach", Update(right.decrement, mine.state), right, dtype, rule)
        for old, new, g, same, decrement in zip(part.p, mine.p, part.g, mine.g, right.decrement, strict=True):
            kept = 4 * torch.finfo(dtype).eps * old.abs().max()
            allowed = tolerance(rule, dtype) * decrement.abs().max() + kept
            torch.testing.assert_close(new, old - decrement, rtol=0, atol=allowed.item(), equal_nan=True)
            assert torch.equal(g, same)


@pytest.mark.parametrize(("rule", "dtype"), cases_of_types())
def test_population_equals_reference(rule: Rule, dtype: torch.dtype) -> None:
    members_apart(rule, list(rule.floats()), dtype)
