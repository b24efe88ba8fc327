"""Lion, which torch has not, against a loop in NumPy."""

import numpy as np
import pytest
import torch

from fallline import optim

STEPS = 20
SHAPES: list[tuple[int, ...]] = [(), (7,), (3, 4), (2, 3, 2)]


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_twenty_steps_equal_a_loop(shape: tuple[int, ...], weight_decay: float) -> None:
    draws = np.random.default_rng(7)
    x, average = draws.standard_normal(shape), np.zeros(shape)
    p = torch.tensor(x, requires_grad=True)
    optimizer = optim.Lion([p], lr=0.03, betas=(0.8, 0.95), weight_decay=weight_decay)
    for _ in range(STEPS):
        noise = draws.standard_normal(shape)
        p.grad = p.detach() + torch.tensor(noise)
        optimizer.step()
        g = x + noise
        x = x - 0.03 * np.sign(0.8 * average + 0.2 * g) - 0.03 * weight_decay * x
        average = 0.95 * average + 0.05 * g
        # The gradient pulls back: an error would be seen in the steps that follow.
        assert np.allclose(p.detach().numpy(), x, rtol=1e-13, atol=1e-14)
    assert np.allclose(optimizer.state[p]["exp_avg"].numpy(), average, rtol=1e-13, atol=1e-14)


def test_what_the_average_and_the_gradient_cancel_does_not_move() -> None:
    p = torch.tensor([1.0, 1.0], requires_grad=True)
    optimizer = optim.Lion([p], lr=0.5)
    p.grad = torch.tensor([0.0, 2.0])
    optimizer.step()
    assert p.tolist() == [1.0, 0.5]
