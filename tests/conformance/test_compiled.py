"""Every rule in every form, captured as a graph, against the reference; compiled for real for one rule per family.

`make conformance` compiles every form.
"""

from collections.abc import Callable

import pytest
import torch

from fallline.executors import Compiled, Part, Update, reference
from fallline.executors.kernels import inductor, uncompiled
from fallline.proof.members import hold, tolerance
from fallline.proof.trials import moments, surroundings
from fallline.rules import Rule
from fallline.wrappers import Clip
from tests.conformance.variants import EXPORTED, FULL, cases

CAPTURED = Compiled(inductor if FULL else uncompiled)
FOR_REAL = Compiled()


def hold_to_reference(step: Callable[..., None], rule: Rule, part: Part, dtype: torch.dtype) -> None:
    around = surroundings(part.t[0])
    right, mine = reference([part.copy()], around)[0], part.copy()
    step([mine], around)
    hold("compiled", Update(right.decrement, mine.state), right, dtype, rule)
    for old, new, decrement in zip(part.p, mine.p, right.decrement, strict=True):
        # A weight keeps no more digits of what is subtracted than it has itself.
        kept = 4 * torch.finfo(dtype).eps * old.abs().max()
        allowed = tolerance(rule, dtype) * decrement.abs().max() + kept
        torch.testing.assert_close(new, old - decrement, rtol=0, atol=allowed.item(), equal_nan=True)


@pytest.mark.parametrize(("rule", "dtype", "staggered"), cases())
def test_captured_formula_equals_reference(rule: Rule, dtype: torch.dtype, staggered: bool) -> None:
    for part in moments(rule, dtype, staggered=staggered, steps=2):
        hold_to_reference(CAPTURED, rule, part, dtype)


@pytest.mark.parametrize("family", sorted({rule.acts_on for rule in EXPORTED.values()}))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_compiled_for_real_equals_reference(family: str, dtype: torch.dtype) -> None:
    rule = next(rule() for rule in EXPORTED.values() if rule.acts_on == family)
    for part in moments(rule, dtype, steps=2):
        hold_to_reference(FOR_REAL, rule, part, dtype)


def test_a_question_about_the_whole_model_compiled_for_real() -> None:
    rule = Clip(EXPORTED["Adam"](), global_norm=0.1)
    for part in moments(rule, torch.float32, steps=2):
        hold_to_reference(FOR_REAL, rule, part, torch.float32)
