"""Rprop: the bounds of its steps, what it does at a turn, and that the rate is the first step alone."""

import pytest
import torch

from fallline import optim
from fallline.errors import InputError
from fallline.rules import Rprop

SIGNS = [1.0, 1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0, -1.0, 0.0, 1.0]


def test_bounds_are_met_as_by_torch() -> None:
    sizes = (0.04, 0.16)
    mine, right = (torch.tensor([1.5, -0.5], requires_grad=True) for _ in range(2))
    ours = optim.Rprop([mine], lr=0.1, step_sizes=sizes)
    theirs = torch.optim.Rprop([right], lr=0.1, step_sizes=sizes)
    met = set()
    for sign in SIGNS:
        for p, optimizer in ((mine, ours), (right, theirs)):
            p.grad = torch.tensor([0.3, -2.0]) * sign
            optimizer.step()
        assert torch.equal(mine, right)
        assert torch.equal(ours.state[mine]["step_size"], theirs.state[right]["step_size"])
        met |= {size for size in sizes if size in ours.state[mine]["step_size"]}
    assert met == set(sizes)


def test_a_weight_rests_after_its_sign_turned_and_goes_on_with_half_the_step() -> None:
    p = torch.tensor([1.0], requires_grad=True)
    optimizer = optim.Rprop([p], lr=0.1)
    places = []
    for gradient in (3.0, -5.0, -5.0):
        p.grad = torch.tensor([gradient])
        optimizer.step()
        places.append(p.item())
    assert places == pytest.approx([0.9, 0.9, 0.95], rel=1e-14)


def test_a_rate_written_later_changes_nothing() -> None:
    p = torch.tensor([1.0], requires_grad=True)
    optimizer = optim.Rprop([p], lr=0.1)
    p.grad = torch.tensor([1.0])
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 5.0
    optimizer.step()
    assert p.item() == pytest.approx(1.0 - 0.1 - 0.12, rel=1e-14)


def test_bounds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(InputError, match=r"step_size_min must not be above step_size_max; got 2 and 1\."):
        Rprop(step_size_min=2.0, step_size_max=1.0)
    with pytest.raises(InputError, match="^Rprop: step_size_min must not be above"):
        optim.Rprop([torch.zeros(1, requires_grad=True)], step_sizes=(2.0, 1.0))


@pytest.mark.parametrize("etas", [(0.0, 1.2), (1.0, 1.2), (0.5, 1.0)])
def test_factors_must_shrink_and_grow(etas: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="eta_(minus|plus) must be"):
        optim.Rprop([torch.zeros(1, requires_grad=True)], etas=etas)
