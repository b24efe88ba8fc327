"""Every rule in every form, captured as a graph, against the reference; compiled for real for one rule per family.

`make conformance` compiles every form.
"""

from collections.abc import Callable

import pytest
import torch

from fallline.executors import Compiled, Part, Update, reference
from fallline.executors.kernels import inductor, uncompiled
from fallline.proof.members import hold
from fallline.proof.trials import copy_of, moments, surroundings
from fallline.rules import Rule
from fallline.wrappers import Clip
from tests.conformance.variants import EXPORTED, FULL, forms

FORMS = pytest.mark.parametrize("rule", forms())
CAPTURED = Compiled(inductor if FULL else uncompiled)
FOR_REAL = Compiled()


def hold_to_reference(step: Callable[..., None], part: Part, dtype: torch.dtype) -> None:
    around = surroundings(part.t[0])
    right, mine = reference([copy_of(part)], around)[0], copy_of(part)
    step([mine], around)
    moved = Update([old - new for old, new in zip(part.p, mine.p, strict=True)], mine.state)
    after = Update([old - (old - d) for old, d in zip(part.p, right.decrement, strict=True)], right.state)
    hold("compiled", moved, after, dtype)


@FORMS
@pytest.mark.parametrize("staggered", [False, True], ids=["same t", "different t"])
def test_captured_formula_equals_reference(rule: Rule, staggered: bool) -> None:
    for part in moments(rule, torch.float64, staggered=staggered, steps=2):
        hold_to_reference(CAPTURED, part, torch.float64)


@FORMS
def test_captured_formula_equals_reference_in_single_precision(rule: Rule) -> None:
    for part in moments(rule, torch.float32, steps=2):
        hold_to_reference(CAPTURED, part, torch.float32)


@pytest.mark.parametrize("family", sorted({rule.acts_on for rule in EXPORTED.values()}))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_compiled_for_real_equals_reference(family: str, dtype: torch.dtype) -> None:
    rule = next(rule() for name, rule in reversed(EXPORTED.items()) if rule.acts_on == family)
    for part in moments(rule, dtype, steps=2):
        hold_to_reference(FOR_REAL, part, dtype)


def test_a_question_about_the_whole_model_compiled_for_real() -> None:
    rule = Clip(EXPORTED["Adam"](), global_norm=0.1)
    for part in moments(rule, torch.float32, steps=2):
        hold_to_reference(FOR_REAL, part, torch.float32)
