"""Every rule past the first few updates, where some begin to rectify, to average or to reach a bound."""

import pytest
import torch

from fallline.executors import foreach, reference
from fallline.proof.members import hold, members_apart
from fallline.proof.trials import alone, moments, surroundings, variants
from fallline.rules import ASGD, RAdam, Rprop, Rule
from tests.conformance.test_compiled import CAPTURED, hold_to_reference
from tests.conformance.variants import EXPORTED

STEPS = 8
# Values at which it begins within these steps, beside every rule as it is by default.
EARLY: list[Rule] = [RAdam(beta2=0.9), ASGD(lr=0.1, t0=1.0), Rprop(step_size_min=8e-3, step_size_max=1.1e-2)]
RULES = [*(form for rule in EXPORTED.values() for form in variants(rule())), *EARLY]


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("staggered", [False, True], ids=["same t", "different t"])
def test_later_steps_equal_each_parameter_alone(rule: Rule, staggered: bool) -> None:
    for part in moments(rule, staggered=staggered, steps=STEPS):
        around = surroundings(part.t[0])
        right = alone(part.copy(), around)
        hold("reference", reference([part.copy()], around)[0], right, rule=rule)
        hold("foreach", foreach([part.copy()], around)[0], right, rule=rule)
        hold("t and floats as 0-d tensors", alone(part.copy(), around, as_tensors=True), right, rule=rule)
        hold_to_reference(CAPTURED, rule, part, torch.float64)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_later_steps_of_a_population_equal_its_members(rule: Rule) -> None:
    members_apart(rule, list(rule.floats()), torch.float64, steps=STEPS)
