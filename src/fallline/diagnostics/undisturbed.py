"""Looking at a model without leaving a trace."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from fallline.modes import modes_kept
from fallline.randomness import forked, seed_global


@contextmanager
def undisturbed(model: nn.Module, purpose: str, seed: int = 0) -> Iterator[None]:
    """Lend a model: its modes, gradients and buffers, and the random state, are put back afterwards.

    Inside, gradients are enabled and absent, and chance (dropout) is keyed by seed and purpose, so that what is
    measured there is the same each time.
    """
    gradients = [(p, p.grad) for p in model.parameters()]
    buffers = [
        (module, name, buffer, buffer.detach().clone())
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    try:
        for p, _ in gradients:
            p.grad = None
        with modes_kept(model), forked(device), torch.enable_grad():
            seed_global(seed, purpose, device=device)
            yield
    finally:
        for p, gradient in gradients:
            p.grad = gradient
        with torch.no_grad():
            for module, name, buffer, value in buffers:
                module._buffers[name] = buffer.copy_(value)
