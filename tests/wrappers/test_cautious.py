"""Cautious steps: the mask and its scale by hand."""

import pytest
import torch

from fallline.rules import SGD, Adam
from fallline.wrappers import L2, Cautious, DecoupledDecay
from tests.wrappers.stepping import EXECUTORS, WALKS, Step, Walk, numbers


@EXECUTORS
def test_elements_against_the_gradient_stay_and_the_others_are_scaled_up(step: Step) -> None:
    # Inside, L2 makes g + p the decrement: (-1, 2, 0.5, 0), of which the second alone has its gradient's sign.
    p, g = torch.tensor([-2.0, 1.0, 1.0, 0.0]), torch.tensor([1.0, 1.0, -0.5, 0.0])
    rule = Cautious(L2(SGD(lr=1.0), weight_decay=1.0))
    assert step(rule, [p], [g])[0].tolist() == [-2.0, -7.0, 1.0, 0.0]


@WALKS
def test_momentum_that_has_turned_round(walk: Walk) -> None:
    # Velocities (1, 1), then (0.5 - 2, 0.5 - 0.25): the second element's is still against its gradient.
    rule = Cautious(SGD(lr=1.0, momentum=0.5))
    weights, _ = walk(rule, [torch.zeros(2)], [[torch.ones(2)], [torch.tensor([-2.0, -0.25])]])
    assert numbers(weights) == [[-1.0, -1.0], [2.0, -1.0]]


@EXECUTORS
def test_share_is_of_each_tensor_and_at_least_a_thousandth(step: Step) -> None:
    p = torch.full((2000,), -2.0)
    p[0] = 0.0
    moved, all_of_it, none = step(
        Cautious(L2(SGD(lr=1.0), weight_decay=1.0)),
        [p, torch.zeros(()), torch.full((3,), -2.0)],
        [torch.ones(2000), torch.tensor(1.0), torch.ones(3)],
    )
    # One of 2000 would be scaled by 2000.
    assert moved[0].item() == pytest.approx(-1000.0, rel=1e-14)
    assert torch.equal(moved[1:], p[1:])
    assert all_of_it.item() == -1.0
    assert none.tolist() == [-2.0] * 3


@EXECUTORS
def test_small_gradients_have_signs_too(step: Step) -> None:
    g = torch.tensor([1e-200, -1e-200])
    assert step(Cautious(SGD(lr=1.0)), [torch.zeros(2)], [g])[0].tolist() == [-1e-200, 1e-200]


@EXECUTORS
def test_decay_around_it_is_not_masked(step: Step) -> None:
    p, g = [torch.tensor([-2.0])], [torch.tensor([1.0])]
    plain = step(Adam(lr=0.1), p, g)[0].item()
    assert step(Cautious(Adam(lr=0.1)), p, g)[0].item() == pytest.approx(plain, rel=1e-14)
    assert step(DecoupledDecay(Cautious(Adam(lr=0.1)), 1.0), p, g)[0].item() == pytest.approx(plain + 0.2, rel=1e-14)


@EXECUTORS
def test_nan_stays_nan(step: Step) -> None:
    moved = step(Cautious(SGD(lr=1.0)), [torch.zeros(2)], [torch.tensor([torch.nan, 1.0])])[0]
    # Of two elements one agrees.
    assert moved.isnan().tolist() == [True, False]
    assert moved[1].item() == -2.0
