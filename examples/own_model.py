"""Your own model and data: NumPy arrays, a small network, and its width as a factor.

Two half circles that reach into each other are told apart.

    python examples/own_model.py
    fallline compare examples/own_model.py:moons
    fallline compare examples/own_model.py:moons -o 'adam:lr=0.01|0.1' --vary width=4,8
"""

import numpy as np
import torch
from torch import nn

import fallline as fl


def two_moons(rows: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles that reach into each other, as NumPy arrays: points (rows, 2) and labels (rows,)."""
    random = np.random.default_rng(seed)
    angle = random.uniform(0, np.pi, rows)
    label = random.integers(0, 2, rows)
    x = np.where(label == 0, np.cos(angle), 1 - np.cos(angle))
    y = np.where(label == 0, np.sin(angle), 0.5 - np.sin(angle))
    return np.stack([x, y], axis=1) + random.normal(0, noise, (rows, 2)), label


def network(width: int = 16) -> nn.Module:
    """A small network; its width is a factor that a study may vary."""
    return nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, 2))


moons = fl.Problem(
    model=network,
    loss=nn.functional.cross_entropy,
    train=two_moons(600, 0.2, seed=1),
    test=two_moons(400, 0.2, seed=2),
    metrics={"accuracy": fl.problems.accuracy},
    factors={"width": 16},
    name="moons",
)

if __name__ == "__main__":
    results = fl.compare(moons, [fl.rules.Momentum, fl.rules.Adam, torch.optim.NAdam], lrs=fl.log(1e-3, 1, 7))
    results.table()
    print(results.best().model())
