"""Gradient centralisation: each output unit's gradient less its mean, by hand, and what has no such axes."""

import torch

from fallline.rules import SGD
from fallline.wrappers import Centralise, Clip
from tests.wrappers.stepping import EXECUTORS, Step


@EXECUTORS
def test_step_by_hand_on_parameters_of_all_ranks(step: Step) -> None:
    g = [
        torch.tensor([[1.0, 3.0], [2.0, 6.0]]),
        torch.tensor([1.0, 3.0]),
        torch.tensor(5.0),
        torch.arange(8.0).reshape(2, 2, 1, 2),
        torch.tensor([[1.0, -1.0, 6.0]]),
    ]
    moved = step(Centralise(SGD(lr=1.0)), [torch.zeros_like(x) for x in g], g)
    assert [(-x).tolist() for x in moved] == [
        # The means of the rows are 2 and 4.
        [[-1.0, 1.0], [-2.0, 2.0]],
        [1.0, 3.0],
        5.0,
        # Of a filter all weights count: the means are 1.5 and 5.5.
        [[[[-1.5, -0.5]], [[0.5, 1.5]]], [[[-1.5, -0.5]], [[0.5, 1.5]]]],
        [[-1.0, -3.0, 4.0]],
    ]


@EXECUTORS
def test_clipping_inside_and_outside_are_different(step: Step) -> None:
    p, g = [torch.zeros(1, 2)], [torch.tensor([[1.0, 7.0]])]
    # (-3, 3) clipped to 2; (1, 2), whose mean is 1.5.
    assert step(Centralise(Clip(SGD(lr=1.0), value=2.0)), p, g)[0].tolist() == [[2.0, -2.0]]
    assert step(Clip(Centralise(SGD(lr=1.0)), value=2.0), p, g)[0].tolist() == [[0.5, -0.5]]


@EXECUTORS
def test_nan_stays_in_its_own_row(step: Step) -> None:
    g = torch.tensor([[1.0, torch.nan], [2.0, 4.0]])
    moved = step(Centralise(SGD(lr=1.0)), [torch.zeros(2, 2)], [g])[0]
    assert moved.isnan().tolist() == [[True, True], [False, False]]
