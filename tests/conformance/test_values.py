"""The two-step values of every rule, but for those that are held to loops of their own."""

import pytest
import torch

from fallline.executors import initial_state
from fallline.optim import Optimizer
from fallline.rules import Rule
from tests.conformance.loops import LOOPS
from tests.conformance.values import GRADIENTS, START, VALUES, Loop
from tests.conformance.variants import EXPORTED

CASES = [
    pytest.param(rule, worked, id=f"{name}-{worked.__name__}")
    for name, cases in VALUES.items()
    for rule, worked in cases
]


@pytest.mark.parametrize("name", EXPORTED)
def test_every_exported_rule_has_a_value(name: str) -> None:
    worked = [rule for rule, _ in VALUES.get(name, [])] + [rule for rule, *_ in LOOPS.get(name, [])]
    assert any(type(rule).__name__ == name for rule in worked)


@pytest.mark.parametrize("executor", ["reference", "foreach"])
@pytest.mark.parametrize(("rule", "worked"), CASES)
def test_two_steps_by_hand(rule: Rule, worked: Loop, executor: str) -> None:
    p = torch.tensor(START, requires_grad=True)
    optimizer = Optimizer([p], rule, executor=executor)
    for gradient in GRADIENTS:
        p.grad = torch.tensor(gradient)
        optimizer.step()
    assert p.item() == pytest.approx(worked(), rel=1e-14)
    assert set(initial_state(rule, p)) == set(optimizer.state[p]) - {"step"}
