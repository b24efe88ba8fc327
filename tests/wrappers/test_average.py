"""The average of the weights: by hand, its beginning, and that training does not change by it."""

from typing import Any

import pytest
import torch

from fallline.errors import InputError
from fallline.executors import Surroundings, initial_states, population
from fallline.optim import Optimizer
from fallline.rules import SGD, Adam
from fallline.wrappers import L1, Average
from tests.wrappers.stepping import WALKS, Walk, numbers

ZERO = torch.zeros(1, dtype=torch.float64)
UP = torch.tensor([-3.0], dtype=torch.float64)


@WALKS
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # Weights 3, 6, 9, 12 of which each counts half of the next.
        ({"decay": 0.5}, [3.0, 15 / 3, 51 / 7, 147 / 15]),
        ({"decay": 0.0}, [3.0, 6.0, 9.0, 12.0]),
        # 9 is the first that counts: (0.5 * 9 + 12) / 1.5.
        ({"decay": 0.5, "start": 2}, [3.0, 6.0, 9.0, 11.0]),
        ({"decay": 0.5, "start": 4}, [3.0, 6.0, 9.0, 12.0]),
    ],
)
def test_average_by_hand(walk: Walk, values: dict[str, Any], expected: list[float]) -> None:
    weights, points = walk(Average(SGD(lr=1.0), **values), [ZERO], [[UP]] * 4)
    assert numbers(weights) == [[3.0], [6.0], [9.0], [12.0]]
    assert [x for (x,) in numbers(points)] == pytest.approx(expected, rel=1e-14)


@WALKS
def test_training_is_the_same_bit_for_bit_and_the_first_average_is_the_weights(walk: Walk) -> None:
    p = [torch.tensor([0.1, 1 / 3]), torch.tensor(0.7)]
    gradients = [[torch.tensor([1 / 7, -t]), torch.tensor(t / 3)] for t in range(1, 5)]
    plain, _ = walk(Adam(lr=0.1), p, gradients)
    weights, points = walk(Average(Adam(lr=0.1), start=2), p, gradients)
    assert numbers(weights) == numbers(plain)
    assert numbers(points)[:3] == numbers(plain)[:3]
    assert numbers(points)[3] != numbers(plain)[3]


@WALKS
def test_what_a_wrapper_inside_does_to_a_step_is_averaged_with_it(walk: Walk) -> None:
    # The proximal step takes 0.5 from 1 and leaves 0.
    _, points = walk(Average(L1(SGD(lr=1.0), 0.5), decay=0.5), [torch.tensor([1.0])], [[ZERO]] * 2)
    assert [x for (x,) in numbers(points)] == pytest.approx([0.5, 0.5 / 3], rel=1e-14)


def test_each_parameter_counts_its_own_updates() -> None:
    p, q = ZERO.clone().requires_grad_(), ZERO.clone().requires_grad_()
    optimizer = Optimizer([p, q], Average(SGD(lr=1.0), decay=0.5))
    for t in range(3):
        p.grad, q.grad = UP, UP if t else None
        optimizer.step()
    with optimizer.evaluating():
        assert [p.item(), q.item()] == pytest.approx([51 / 7, 5.0], rel=1e-14)


def test_members_have_each_their_own_decay() -> None:
    rule = Average(SGD())
    values = {"lr": torch.ones(3), "dampening": torch.zeros(3), "average.decay": torch.tensor([0.0, 0.5, 0.9])}
    p, g = [torch.zeros(3, 1)], [torch.full((3, 1), -3.0)]
    state = initial_states(rule, values, p)
    for t in (1, 2):
        update = population(rule, values, p, g, state, t, Surroundings(t, lambda p, position, call: p))
        p, state = [p[0] - update.decrement[0]], update.state
    found = rule.eval_point(p[0], state[0]).flatten().tolist()
    assert found == pytest.approx([6.0, 5.0, (0.9 * 3 + 6) / 1.9], rel=1e-14)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_average_of_half_precision_weights_does_not_stand_still(dtype: torch.dtype) -> None:
    p = torch.ones(1, dtype=dtype, requires_grad=True)
    optimizer = Optimizer([p], Average(SGD(lr=1.0), decay=0.999))
    for t in range(401):
        p.grad = torch.full((1,), -1.0 if t == 1 else 0.0, dtype=dtype)
        optimizer.step()
    # 1 once and then 2: what the 1 weighs is a quarter of the last digit of bfloat16.
    first = 0.999**400 * (1 - 0.999) / (1 - 0.999**401)
    assert optimizer.state[p]["average.weights"].item() == pytest.approx(2 - first, rel=1e-5)
    with optimizer.evaluating():
        assert p.dtype == dtype


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"decay": 1.0}, r"decay must be in \[0, 1\)"),
        ({"start": -1}, "start must be a whole number of at least 0"),
        ({"start": 0.5}, "start must be a whole number of at least 0"),
    ],
)
def test_bad_value_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Average(SGD(), **values)
