"""Clipping by value, by a parameter's norm and by the norm of all gradients."""

import math
from typing import Any

import pytest
import torch
from torch.nn.utils import clip_grad_norm_

from fallline.errors import InputError
from fallline.executors import Surroundings, population
from fallline.optim import Optimizer
from fallline.rules import SGD
from fallline.wrappers import L2, Clip, Maximize
from tests.wrappers.stepping import EXECUTORS, Step

EACH_EXECUTOR = pytest.mark.parametrize("executor", ["reference", "foreach"])
ROOT = math.sqrt(2)


def clipped(step: Step, gradients: list[torch.Tensor], **limits: float) -> list[list[float]]:
    """The gradients that a rule inside sees: SGD of rate 1 moves weights at 0 by their negatives."""
    moved = step(Clip(SGD(lr=1.0), **limits), [torch.zeros_like(g) for g in gradients], gradients)
    return [(-x).tolist() for x in moved]


@EXECUTORS
@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"value": 3.5}, [[3.0, 3.5], 3.5]),
        # The norms are 5 and 12.
        ({"norm": 10.0}, [[3.0, 4.0], 10.0]),
        ({"norm": 2.5}, [[1.5, 2.0], 2.5]),
        # The norm of all is 13.
        ({"global_norm": 6.5}, [[1.5, 2.0], 6.0]),
        ({"global_norm": 13.0}, [[3.0, 4.0], 12.0]),
        # Value first: (3, 3) and 3; of norm 3 root 2, scaled to 3, and 3; together 3 root 2 again, scaled to 3.
        ({"value": 3.0, "norm": 3.0, "global_norm": 3.0}, [[1.5, 1.5], 3 / ROOT]),
    ],
)
def test_clipping_by_hand(step: Step, limits: dict[str, float], expected: list[Any]) -> None:
    found = clipped(step, [torch.tensor([3.0, 4.0]), torch.tensor(12.0)], **limits)
    assert found[0] == pytest.approx(expected[0], rel=1e-14)
    assert found[1] == pytest.approx(expected[1], rel=1e-14)


@EXECUTORS
@pytest.mark.parametrize("name", ["value", "norm", "global_norm"])
def test_what_is_below_the_limit_keeps_its_bits(step: Step, name: str) -> None:
    gradients = [torch.tensor([1 / 3, -1e-9]), torch.tensor([[0.1]])]
    assert clipped(step, gradients, **{name: 0.5}) == [g.tolist() for g in gradients]


@EXECUTORS
@pytest.mark.parametrize("name", ["value", "norm", "global_norm"])
def test_gradient_zero_stays_zero(step: Step, name: str) -> None:
    assert clipped(step, [torch.zeros(2), torch.zeros(0)], **{name: 0.1}) == [[0.0, 0.0], []]


@EXECUTORS
def test_nan_stays_nan_and_in_what_it_scales(step: Step) -> None:
    gradients = [torch.tensor([torch.nan, 5.0]), torch.tensor([5.0])]

    def nan(**limits: float) -> list[list[bool]]:
        return [[math.isnan(x) for x in g] for g in clipped(step, gradients, **limits)]

    assert nan(value=1.0) == [[True, False], [False]]
    assert nan(norm=1.0) == [[True, True], [False]]
    assert nan(global_norm=1.0) == [[True, True], [True]]


@EXECUTORS
def test_infinite_gradient_is_clipped_by_value_and_nan_by_norm(step: Step) -> None:
    gradients = [torch.tensor([torch.inf, 5.0])]
    assert clipped(step, gradients, value=1.0) == [[1.0, 1.0]]
    # inf * 0, as in torch.
    infinite, finite = clipped(step, gradients, norm=1.0)[0]
    assert math.isnan(infinite)
    assert finite == 0.0


@EXECUTORS
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["norm", "global_norm"])
def test_half_precision_neither_overflows_nor_drowns(step: Step, dtype: torch.dtype, name: str) -> None:
    # 300^2 is infinite in float16; 1024 ones summed one by one in bfloat16 stop at 256.
    large = clipped(step, [torch.tensor([300.0, 400.0], dtype=dtype)], **{name: 1.0})
    assert large[0] == pytest.approx([0.6, 0.8], rel=1e-2)
    many = clipped(step, [torch.ones(1, dtype=dtype) for _ in range(1024)], global_norm=16.0)
    assert many[0] == pytest.approx([0.5], rel=1e-2)


@EACH_EXECUTOR
@pytest.mark.parametrize("limit", [0.5, 5.0, 500.0])
def test_global_norm_is_torchs_but_for_its_epsilon(executor: str, limit: float) -> None:
    gradients = [torch.sin(torch.arange(12.0)).reshape(3, 4), torch.tensor(-3.0), torch.cos(torch.arange(5.0))]
    ours = [torch.zeros_like(g, requires_grad=True) for g in gradients]
    theirs = [torch.zeros_like(g, requires_grad=True) for g in gradients]
    optimizer = Optimizer(ours, Clip(SGD(lr=1.0), global_norm=limit), executor=executor)
    for p, q, g in zip(ours, theirs, gradients, strict=True):
        p.grad, q.grad = g.clone(), g.clone()
    norm = clip_grad_norm_(theirs, limit)
    optimizer.step()
    for p, q, g in zip(ours, theirs, gradients, strict=True):
        assert q.grad is not None
        exact = g * min(1.0, limit / norm.item())
        assert torch.allclose(-p.detach(), exact, rtol=1e-14, atol=0.0)
        assert torch.allclose(-p.detach(), q.grad, rtol=1e-6, atol=0.0)
        assert p.grad is not None
        assert torch.equal(p.grad, g)


@EACH_EXECUTOR
def test_global_norm_is_over_groups_of_different_programs(executor: str) -> None:
    p, q = (torch.zeros(1, requires_grad=True) for _ in range(2))
    groups = [{"params": [p]}, {"params": [q], "momentum": 0.9, "clip.global_norm": 2.5}]
    optimizer = Optimizer(groups, Clip(SGD(lr=1.0), global_norm=1.0), executor=executor)
    p.grad, q.grad = torch.tensor([3.0]), torch.tensor([-4.0])
    optimizer.step()
    assert [p.item(), q.item()] == pytest.approx([-0.6, 2.0], rel=1e-14)


def test_members_have_each_their_own_limit_norm_and_nan() -> None:
    limits = torch.tensor([1.0, 6.5, 6.5, 100.0], dtype=torch.float64)
    values = {"lr": torch.ones(4), "dampening": torch.zeros(4), "clip.global_norm": limits}
    first = torch.tensor([[3.0, 4.0], [3.0, 4.0], [torch.nan, 4.0], [3.0, 4.0]])
    second = torch.tensor([0.0, 12.0, 12.0, 12.0])
    around = Surroundings(step=1, noise=lambda p, position, call: torch.zeros_like(p))
    rule = Clip(SGD(), global_norm=1.0)
    a, b = population(rule, values, [first, second], [first, second], [{}, {}], 1, around).decrement
    assert a[[0, 1, 3]].flatten().tolist() == pytest.approx([0.6, 0.8, 1.5, 2.0, 3.0, 4.0], rel=1e-14)
    assert b[[0, 1, 3]].tolist() == pytest.approx([0.0, 6.0, 12.0], rel=1e-14)
    assert a[2].isnan().all()
    assert b[2].isnan()


@EXECUTORS
def test_order_of_nesting_is_the_order_of_work(step: Step) -> None:
    p, g = [torch.tensor([1.0])], [torch.tensor([4.0])]
    # Decay inside is added to the clipped gradient, 1 + 2; outside, it is clipped with it.
    inside = step(Clip(L2(SGD(lr=0.1), 2.0), value=1.0), p, g)[0]
    outside = step(L2(Clip(SGD(lr=0.1), value=1.0), 2.0), p, g)[0]
    assert inside.item() == pytest.approx(0.7, rel=1e-14)
    assert outside.item() == pytest.approx(0.9, rel=1e-14)
    assert step(Maximize(Clip(SGD(lr=0.1), value=1.0)), p, g)[0].item() == pytest.approx(1.1, rel=1e-14)


def test_clip_without_limit_is_refused() -> None:
    with pytest.raises(InputError, match=r"Clip needs a limit: give value, norm or global_norm, such as norm=1\.0"):
        Clip(SGD())
    with pytest.raises(InputError, match="Clip needs a limit"):
        Clip(SGD(), norm=1.0).replace({"clip.norm": None})


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan, math.inf, True, "1"])
@pytest.mark.parametrize("name", ["value", "norm", "global_norm"])
def test_bad_limit_is_refused(name: str, limit: Any) -> None:
    with pytest.raises(InputError, match=f"Clip: {name} must be a finite number above 0"):
        Clip(SGD(), **{name: limit})
