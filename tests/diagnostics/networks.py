"""Networks and batches that the tests of this folder train."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import fallline as fl
from fallline.diagnostics import Watch
from fallline.problems import load, mlp


def deep(activation: type[nn.Module], gain: float | None = None, seed: int = 0) -> nn.Sequential:
    """Ten linear layers for digits, by torch's initialisation or `gain` times He's."""
    torch.manual_seed(seed)
    model = mlp((64, *[64] * 9, 10), activation)
    for layer in model:
        if gain is not None and isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
            layer.weight.data *= gain
    return model


def digits(rows: int = 64) -> tuple[Tensor, Tensor]:
    images, labels = load("digits").train
    return images[:rows].to(torch.get_default_dtype()), labels[:rows]


def watched(model: nn.Module, steps: int = 1, lr: float = 0.01) -> Watch:
    """A watch that recorded every one of some steps on one batch of digits."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    watch = fl.diagnostics.Watch(model, optimizer, every=1)
    images, labels = digits()
    for _ in range(steps):
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()
    return watch
