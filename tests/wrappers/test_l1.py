"""L1: soft thresholding after the rule's step, zeros that are exact."""

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from fallline.errors import InputError
from fallline.executors import Surroundings, population
from fallline.optim import Optimizer
from fallline.rules import SGD, Adam, Now, Rule, State
from fallline.wrappers import L1, DecoupledDecay
from tests.wrappers.stepping import EXECUTORS, Step

DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)


@EXECUTORS
def test_step_by_hand(step: Step) -> None:
    p = [torch.tensor([1.0, -2.0, 0.04, -0.03, 0.0]), torch.tensor(0.0)]
    g = [torch.tensor([0.5, -0.25, 0.1, 0.0, 0.3]), torch.tensor(0.7)]
    # After SGD: 0.95, -1.975, 0.03, -0.03, -0.03 and -0.07; then 0.1 * 0.5 = 0.05 towards 0, stopping there.
    first, second = step(L1(SGD(lr=0.1), strength=0.5), p, g)
    assert first[:2].tolist() == pytest.approx([0.9, -1.925], rel=1e-14)
    assert first[2:].tolist() == [0.0, 0.0, 0.0]
    assert second.item() == pytest.approx(-0.02, rel=1e-13)


@EXECUTORS
@DTYPES
def test_zeros_are_exact_in_every_type(step: Step, dtype: torch.dtype) -> None:
    p = torch.linspace(-0.3, 0.3, 61).to(dtype)
    g = torch.cos(torch.arange(61.0)).to(dtype)
    moved = step(L1(SGD(lr=0.1), strength=1.0), [p], [g])[0]
    after_the_rule = p - 0.1 * g
    assert moved.dtype == dtype
    assert torch.equal(moved == 0, after_the_rule.abs() <= 0.1)
    assert 10 < int((moved == 0).sum()) < 51


@DTYPES
@pytest.mark.parametrize("executor", ["reference", "foreach"])
def test_zero_weight_stays_zero_below_the_strength_and_leaves_above(executor: str, dtype: torch.dtype) -> None:
    p = torch.tensor([0.0, 0.0, 0.01], dtype=dtype, requires_grad=True)
    optimizer = Optimizer([p], L1(SGD(lr=0.1), strength=0.5), executor=executor)
    for _ in range(3):
        p.grad = torch.tensor([0.49, 0.75, -0.49], dtype=dtype)
        optimizer.step()
    assert p[0].item() == 0.0
    assert p[1].item() == pytest.approx(-3 * 0.1 * 0.25, rel=1e-2)
    # 0.01 + 0.049 - 0.05 = 0.009 and so on: it is on its way.
    assert p[2].item() == pytest.approx(0.007, rel=5e-2)


def test_steps_around_adam_equal_a_loop_of_soft_thresholds() -> None:
    def loop(p: float, gradients: list[float]) -> float:
        m = v = 0.0
        for t, g in enumerate(gradients, start=1):
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            x = p - 0.1 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
            p = math.copysign(max(abs(x) - 0.1 * 0.3, 0.0), x)
        return p

    starts, gradients = [1.0, -0.35, 0.2], [0.5, -1.0, 0.25, 0.75]
    p = torch.tensor(starts, requires_grad=True)
    optimizer = Optimizer([p], L1(Adam(lr=0.1), strength=0.3))
    for g in gradients:
        p.grad = torch.full((3,), g)
        optimizer.step()
    assert p.tolist() == pytest.approx([loop(start, gradients) for start in starts], rel=1e-12, abs=1e-15)


@EXECUTORS
def test_strength_zero_changes_no_bit(step: Step) -> None:
    p = [torch.tensor([1.0, -0.1, 0.0, 3e-9]), torch.tensor(0.5)]
    g = [torch.tensor([1e-7, -1.0, 0.0, 3e-8]), torch.tensor(1 / 3)]
    for with_l1, bare in zip(step(L1(SGD(lr=0.1), 0.0), p, g), step(SGD(lr=0.1), p, g), strict=True):
        assert torch.equal(with_l1, bare)


@EXECUTORS
def test_what_is_not_finite_stays_so_and_apart(step: Step) -> None:
    p, g = torch.tensor([1.0, torch.nan, torch.inf, 0.01]), torch.tensor([torch.nan, 0.0, 0.0, 0.0])
    moved = step(L1(SGD(lr=0.1), 1.0), [p], [g])[0]
    assert moved.isnan().tolist() == [True, True, False, False]
    assert moved[2:].tolist() == [torch.inf, 0.0]


def test_members_have_each_their_own_strength() -> None:
    strengths = torch.tensor([0.0, 0.3, 2.0], dtype=torch.float64)
    values = {"lr": torch.full((3,), 0.1), "dampening": torch.zeros(3), "l1.strength": strengths}
    p = torch.tensor([0.02, 0.1, 1.0]).expand(3, 3)
    around = Surroundings(step=1, noise=lambda p, position, call: torch.zeros_like(p))
    moved = p - population(L1(SGD()), values, [p], [torch.zeros(3, 3)], [{}], 1, around).decrement[0]
    assert moved[0].tolist() == [0.02, 0.1, 1.0]
    assert moved[1].tolist() == [0.0, pytest.approx(0.07, rel=1e-13), pytest.approx(0.97, rel=1e-13)]
    assert moved[2].tolist() == [0.0, 0.0, pytest.approx(0.8, rel=1e-13)]


@pytest.mark.parametrize("executor", ["reference", "foreach"])
def test_each_group_has_its_own_rate_and_strength(executor: str) -> None:
    p, q, r = (torch.tensor([1.0], requires_grad=True) for _ in range(3))
    groups: list[dict[str, Any]] = [{"params": [p]}, {"params": [q], "lr": 0.0}, {"params": [r], "l1.strength": 2.0}]
    optimizer = Optimizer(groups, L1(SGD(lr=0.1), 0.5), executor=executor)
    for x in (p, q, r):
        x.grad = torch.zeros(1)
    optimizer.step()
    assert [p.item(), q.item(), r.item()] == pytest.approx([0.95, 1.0, 0.8], rel=1e-14)


@EXECUTORS
def test_it_belongs_outermost(step: Step) -> None:
    p, g = torch.tensor([0.04, 1.0]), torch.zeros(2)
    # Outside, 0.04 - 0.004 is within 0.05 of 0. Inside, decay takes its 0.004 from the weight that became 0.
    outside = step(L1(DecoupledDecay(SGD(lr=0.1), 1.0), 0.5), [p], [g])[0]
    inside = step(DecoupledDecay(L1(SGD(lr=0.1), 0.5), 1.0), [p], [g])[0]
    assert outside.tolist() == [0.0, pytest.approx(0.85, rel=1e-14)]
    assert inside.tolist() == pytest.approx([-0.004, 0.85], rel=1e-13)


@pytest.mark.parametrize("strength", [-1.0, math.nan, math.inf, True, None, "1"])
def test_bad_strength_is_refused(strength: Any) -> None:
    with pytest.raises(InputError, match="strength must be a finite number of at least 0"):
        L1(SGD(), strength)


def test_rule_without_learning_rate_is_refused() -> None:
    @dataclass(frozen=True)
    class Rateless(Rule):
        def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
            return g, state

    with pytest.raises(InputError, match=r"L1 is scaled by lr, which Rateless lacks\. Give that rule a field lr"):
        L1(Rateless())
