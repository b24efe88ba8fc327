"""Lookahead: slow and fast weights by hand, and where the model is evaluated."""

from typing import Any

import pytest
import torch

from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.rules import SGD, Adam
from fallline.wrappers import Average, Lookahead
from tests.wrappers.stepping import WALKS, Walk, numbers

TEN = torch.tensor([10.0], dtype=torch.float64)
ONE = torch.ones(1, dtype=torch.float64)


@WALKS
def test_steps_by_hand(walk: Walk) -> None:
    # 9, and 8 which is half way back at 9; 8, and 7 which is half way back to 9 at 8; 7.
    weights, points = walk(Lookahead(SGD(lr=1.0), k=2, alpha=0.5), [TEN], [[ONE]] * 5)
    assert numbers(weights) == [[9.0], [9.0], [8.0], [8.0], [7.0]]
    assert numbers(points) == [[10.0], [9.0], [9.0], [8.0], [8.0]]


@WALKS
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_all_the_way_is_the_rule_itself_and_none_of_it_the_beginning(walk: Walk, alpha: float) -> None:
    gradients = [[torch.tensor([0.3 * t]), torch.tensor(-0.7 / t)] for t in range(1, 7)]
    p = [TEN, torch.tensor(2.0)]
    fast, _ = walk(Adam(lr=0.1), p, gradients)
    weights, points = walk(Lookahead(Adam(lr=0.1), k=3, alpha=alpha), p, gradients)
    if alpha:
        assert torch.allclose(torch.tensor(numbers(weights)), torch.tensor(numbers(fast)), rtol=1e-14, atol=0.0)
        assert numbers(points)[2] == numbers(weights)[2]
    else:
        assert numbers(weights)[5] == pytest.approx([10.0, 2.0], rel=1e-15)
        assert numbers(points) == [[10.0, 2.0]] * 2 + [pytest.approx([10.0, 2.0], rel=1e-15)] * 4


def test_slow_weights_are_those_that_training_goes_on_from_to_the_last_bit() -> None:
    p = torch.tensor([0.1, 1 / 3, 7.0], dtype=torch.float32, requires_grad=True)
    optimizer = Optimizer([p], Lookahead(Adam(lr=0.01), k=2, alpha=0.3))
    for t in range(1, 9):
        p.grad = torch.tensor([0.7, -0.1, 0.3], dtype=torch.float32) / t
        optimizer.step()
        assert torch.equal(p, optimizer.state[p]["lookahead.slow"]) == (t % 2 == 0)


@WALKS
def test_inside_an_average_the_slow_weights_are_averaged(walk: Walk) -> None:
    _, points = walk(Average(Lookahead(SGD(lr=1.0), k=2), decay=0.5), [TEN], [[ONE]] * 3)
    # Slow: 10, 9, 9.
    expected = [10.0, (0.5 * 10 + 9) / 1.5, (0.25 * 10 + 0.5 * 9 + 9) / 1.75]
    assert [x for (x,) in numbers(points)] == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("k", [0, -1, 2.0, None, True])
def test_bad_count_is_refused(k: Any) -> None:
    with pytest.raises(InputError, match="Lookahead: k must be a whole number of at least 1"):
        Lookahead(SGD(), k=k)
