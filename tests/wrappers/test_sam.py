"""Sharpness-aware steps by hand, on the loss |p|^2 / 2 whose gradient is p; other wrappers inside and outside."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.rules import SGD, Rule
from fallline.wrappers import L2, SAM, Accumulate, Clip, Maximize, Noise
from tests.wrappers.stepping import WALKS, Walk, numbers

ROOT = math.sqrt(0.5)


def after_one(walk: Walk, rule: Rule) -> list[float]:
    p = [torch.tensor([3.0]), torch.tensor(4.0)]
    weights, points = walk(rule, p, [p], lambda x: x.clone())
    assert numbers(points) == numbers(weights)
    return numbers(weights)[0]


CASES: list[tuple[Rule, list[float]]] = [
    # The norm of (3, 4) is 5: the gradient at (3.3, 4.4).
    (SAM(SGD(lr=0.1), rho=0.5), [3 - 0.33, 4 - 0.44]),
    (SAM(SGD(lr=0.1), rho=0.0), [2.7, 3.6]),
    # p * g is (9, 16), p^2 * g (27, 64).
    (
        SAM(SGD(lr=0.1), rho=0.5, adaptive=True),
        [3 - 0.1 * (3 + 0.5 * 27 / math.sqrt(337)), 4 - 0.1 * (4 + 0.5 * 64 / math.sqrt(337))],
    ),
    # Inside, the gradient (3.3, 4.4) of norm 5.5 is clipped to (0.66, 0.88).
    (SAM(Clip(SGD(lr=0.1), global_norm=1.1), rho=0.5), [3 - 0.066, 4 - 0.088]),
    # Outside, the direction is the same, and nothing bounds the step.
    (Clip(SAM(SGD(lr=0.1), rho=0.5), global_norm=1.1), [3 - 0.33, 4 - 0.44]),
    # By value: inside (3.3, 4.4) becomes (2, 2), outside (3, 4) does before it is gone uphill by.
    (SAM(Clip(SGD(lr=0.1), value=2.0), rho=0.5), [2.8, 3.8]),
    (Clip(SAM(SGD(lr=0.1), rho=0.5), value=2.0), [3 - 0.1 * (3 + 0.5 * ROOT), 4 - 0.1 * (4 + 0.5 * ROOT)]),
    # Both: outside by value, the direction; inside by the norm of what is stepped by.
    (
        Clip(SAM(L2(SGD(lr=0.1), 0.0), rho=0.5), value=2.0, norm=1.0),
        [3 - 0.1 * (3 + 0.5 * ROOT), 4 - 0.1 * (4 + 0.5 * ROOT)],
    ),
    # The penalty doubles the loss: gradients (6, 8), and (6.6, 8.8) uphill. Inside, it pulls at p and not uphill.
    (L2(SAM(SGD(lr=0.1), rho=0.5), 1.0), [3 - 0.66, 4 - 0.88]),
    (SAM(L2(SGD(lr=0.1), 1.0), rho=0.5), [3 - 0.63, 4 - 0.84]),
    # Upside down: "uphill" is (2.7, 3.6), the step away from 0.
    (Maximize(SAM(SGD(lr=0.1), rho=0.5)), [3 + 0.27, 4 + 0.36]),
    (Noise(SAM(SGD(lr=0.1), rho=0.5)), [3 - 0.33, 4 - 0.44]),
]


@WALKS
@pytest.mark.parametrize(("rule", "expected"), CASES)
def test_step_by_hand(walk: Walk, rule: Rule, expected: list[float]) -> None:
    assert after_one(walk, rule) == pytest.approx(expected, rel=1e-13)


@WALKS
@pytest.mark.parametrize("adaptive", [False, True])
def test_where_the_gradient_is_zero_the_step_is_the_rules(walk: Walk, adaptive: bool) -> None:
    p, g = [torch.tensor([1.0, 2.0])], [torch.zeros(2)]
    weights, _ = walk(SAM(SGD(lr=0.1), adaptive=adaptive), p, [g], lambda x: x.clone())
    assert numbers(weights)[0] == pytest.approx([0.9, 1.8], rel=1e-15)


@WALKS
def test_nan_in_one_gradient_is_in_all(walk: Walk) -> None:
    p, g = [torch.ones(2), torch.ones(())], [torch.tensor([torch.nan, 1.0]), torch.tensor(1.0)]
    weights, _ = walk(SAM(SGD(lr=0.1)), p, [g], lambda x: x.clone())
    assert all(map(math.isnan, numbers(weights)[0]))


def trained(rule: Rule, executor: str, grouped: bool) -> tuple[list[Tensor], int]:
    """Two steps of an optimizer on |p|^4 / 4, and the number of passes; `grouped` makes two programs of one rule."""
    params = [torch.tensor(1.0, requires_grad=True), torch.tensor([2.0, -2.0], requires_grad=True)]
    second = {"params": [params[1]], "momentum": 0.0, "nesterov": True}
    optimizer = Optimizer([{"params": [params[0]]}, second] if grouped else params, rule, executor=executor)
    passes = 0

    def closure() -> Tensor:
        nonlocal passes
        passes += 1
        optimizer.zero_grad()
        loss = (params[0] ** 4 + (params[1] ** 4).sum()) / 4
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    for _ in range(2):
        optimizer.step(closure)
    return [p.detach() for p in params], passes


@pytest.mark.parametrize("executor", ["reference", "foreach"])
@pytest.mark.parametrize(
    "rule",
    [
        SAM(SGD(lr=0.01), rho=0.3),
        SAM(Clip(SGD(lr=0.01), global_norm=5.0), rho=0.3),
        Clip(SAM(SGD(lr=0.01), rho=0.3), value=3.0, global_norm=5.0),
    ],
    ids=["bare", "clipping inside", "clipping outside"],
)
def test_optimizer_takes_two_passes_a_step_and_groups_share_the_norms(rule: Rule, executor: str) -> None:
    p = [torch.tensor(1.0), torch.tensor([2.0, -2.0])]
    inside = isinstance(rule, SAM) and isinstance(rule.rule, Clip)
    for _ in range(2):
        g: Any = [x**3 for x in p]
        if isinstance(rule, Clip):
            g = bounded([x.clamp(-3, 3) for x in g], 5.0)
        norm = math.sqrt(sum(float((x * x).sum()) for x in g))
        g = [(x + 0.3 * y / norm) ** 3 for x, y in zip(p, g, strict=True)]
        p = [x - 0.01 * y for x, y in zip(p, bounded(g, 5.0) if inside else g, strict=True)]
    for grouped in (False, True):
        found, passes = trained(rule, executor, grouped)
        assert passes == 4
        assert all(torch.allclose(a, b, rtol=1e-13, atol=0.0) for a, b in zip(found, p, strict=True))


def bounded(gradients: list[Tensor], limit: float) -> list[Tensor]:
    norm = math.sqrt(sum(float((x * x).sum()) for x in gradients))
    return [x * min(1.0, limit / norm) for x in gradients]


def test_it_needs_a_closure() -> None:
    p = torch.ones(1, requires_grad=True)
    p.grad = torch.ones(1)
    with pytest.raises(InputError, match=r"call optimizer\.step\(closure\)"):
        Optimizer([p], SAM(SGD())).step()


def test_what_it_cannot_stand_in_is_refused_and_the_other_way_round_taken() -> None:
    with pytest.raises(InputError, match=r"Accumulate cannot stand around SAM: .* Write SAM\(Accumulate\(rule\)\)"):
        Accumulate(L2(SAM(SGD())))
    assert SAM(Accumulate(SGD())).rho == 0.05


@pytest.mark.parametrize("rho", [-0.1, math.inf, None])
def test_bad_radius_is_refused(rho: Any) -> None:
    with pytest.raises(InputError, match="SAM: rho must be a finite number of at least 0"):
        SAM(SGD(), rho=rho)
