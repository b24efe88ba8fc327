import pytest
import torch

from fallline import rules
from fallline.optim import Optimizer
from fallline.study.algorithms import BUILT_IN

AT = {("momentum", "SGD"): {"momentum": 0.0}, ("adamw", "Adam"): {"weight_decay": 0.0}}
"""The values at which a rule becomes the one that it includes."""


def test_what_is_declared_is_known_here():
    assert {(name, special) for name, rule in BUILT_IN.items() for special in rule.includes} == AT.keys()


@pytest.mark.parametrize(("name", "special"), AT)
def test_a_rule_becomes_what_it_includes(name, special):
    ends = []
    for rule in (BUILT_IN[name](lr=0.1, **AT[name, special]), getattr(rules, special)(lr=0.1)):
        p = torch.linspace(-1, 2, 5, dtype=torch.float64).requires_grad_()
        optimizer = Optimizer([p], rule, executor="reference")
        for t in range(1, 4):
            p.grad = torch.cos(t * p.detach())
            optimizer.step()
        ends.append(p.detach())
    assert torch.equal(*ends)
