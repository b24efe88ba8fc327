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


def small(dropout: float = 0.0) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Dropout(dropout), nn.BatchNorm1d(16), nn.Linear(16, 10))


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int, closure: bool = False) -> list[float]:
    """An ordinary loop; the losses."""
    images, labels = digits(96)
    images = images.to(next(model.parameters()).dtype)
    losses = []
    torch.manual_seed(1)
    for step in range(steps):
        rows = slice(step % 6 * 16, step % 6 * 16 + 16)

        def loss_of(rows=rows):
            optimizer.zero_grad()
            loss = cross_entropy(model(images[rows]), labels[rows])
            loss.backward()
            return loss

        if closure:
            loss = optimizer.step(loss_of)
        else:
            loss = loss_of()
            optimizer.step()
        losses.append(float(loss.detach()))
    return losses
