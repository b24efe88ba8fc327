"""RAdam around the update at which it begins to trust the second moment, for every length that beta2 allows."""

import pytest
import torch

from fallline import optim


@pytest.mark.parametrize("beta2", [0.0, 0.5, 0.6, 2 / 3, 0.7, 0.9, 0.999])
def test_steps_equal_torch_where_the_length_is_2_4_or_5_too(beta2: float) -> None:
    # At beta2 = 0.6 the longest length is 4, where the rectifier would divide by 0; below, its root is not real.
    mine, right = (torch.tensor([1.5, -0.5], requires_grad=True) for _ in range(2))
    ours = optim.RAdam([mine], lr=0.1, betas=(0.9, beta2), executor="reference")
    theirs = torch.optim.RAdam([right], lr=0.1, betas=(0.9, beta2))
    for step in range(12):
        for p, optimizer in ((mine, ours), (right, theirs)):
            p.grad = p.detach() * 2 + (-1) ** step
            optimizer.step()
        assert torch.allclose(mine, right, rtol=1e-12, atol=0.0)
