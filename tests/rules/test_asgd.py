"""ASGD: what is averaged and evaluated, and that a rate acts one update late."""

import pytest
import torch

from fallline import optim
from fallline.executors import initial_state
from fallline.optim import Optimizer
from fallline.rules import ASGD


def test_average_is_evaluated_once_it_has_begun() -> None:
    p = torch.tensor([1.0, -2.0], requires_grad=True)
    optimizer = Optimizer([p], ASGD(lr=0.1, lambd=0.0, t0=2.0))
    seen = []
    for step in range(7):
        p.grad = torch.tensor([1.0, -1.0]) * (-1) ** step
        optimizer.step()
        seen.append(p.detach().clone())
    # The first four averages are the weights; from then on each counts as much.
    expected = torch.stack(seen[3:]).mean(0)
    assert torch.allclose(optimizer.state[p]["ax"], expected, rtol=1e-14)
    assert torch.equal(optimizer.rule.eval_point(p.detach(), optimizer.state[p]), optimizer.state[p]["ax"])
    assert not torch.allclose(expected, p.detach())


def test_weights_are_evaluated_as_they_are_before_the_average_begins() -> None:
    p = torch.tensor([1.0, -2.0], requires_grad=True)
    rule = ASGD(lr=0.1)
    assert torch.equal(rule.eval_point(p.detach(), initial_state(rule, p)), p)
    optimizer = Optimizer([p], rule)
    for _ in range(3):
        p.grad = torch.ones(2)
        optimizer.step()
        assert torch.equal(rule.eval_point(p.detach(), optimizer.state[p]), p)


def test_a_rate_acts_one_update_late() -> None:
    p = torch.tensor([0.0], requires_grad=True)
    optimizer = optim.ASGD([p], lr=0.1, lambd=0.0)
    steps = []
    for lr in (0.1, 0.2, 0.4):
        optimizer.param_groups[0]["lr"] = lr
        before = p.item()
        p.grad = torch.tensor([-1.0])
        optimizer.step()
        steps.append(p.item() - before)
    assert steps == pytest.approx([0.1, 0.1, 0.2], rel=1e-13)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_numbers_of_a_half_precision_parameter_have_torchs_type(dtype: torch.dtype) -> None:
    torch.set_default_dtype(dtype)
    mine, right = (torch.ones(2, dtype=torch.bfloat16, requires_grad=True) for _ in range(2))
    for p, optimizer in ((mine, optim.ASGD([mine])), (right, torch.optim.ASGD([right]))):
        p.grad = torch.ones_like(p)
        optimizer.step()
        assert {name: optimizer.state[p][name].dtype for name in ("eta", "mu", "ax")} == {
            "eta": dtype, "mu": dtype, "ax": torch.bfloat16,
        }  # fmt: skip
        assert optimizer.state[p]["eta"].shape == optimizer.state[p]["mu"].shape == ()
