"""`airfoil`: the noise of wing sections, a linear regression on real measurements."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from fallline.problems.files import DataFile
from fallline.problems.objective import half_squared_error
from fallline.problems.problem import Problem

FILE = DataFile(
    "airfoil",
    "airfoil_self_noise.dat",
    "10ee06e6cfb27dae6b44213d421d217012fb1f9b697592e73a4e4016b52d425f",
    [
        "https://archive.ics.uci.edu/ml/machine-learning-databases/00291/airfoil_self_noise.dat",
        "https://d2l-data.s3-accelerate.amazonaws.com/airfoil_self_noise.dat",
    ],
)
ROWS = 1500


def airfoil(data_dir: str | Path | None = None) -> Problem:
    """Airfoil self-noise (Brooks, Pope and Marcolini, 1989, doi:10.24432/C5VW2C): 5 features, 1 target.

    Every column is standardised over all 1,503 rows, of which the first 1,500 are used. A linear model from
    weights of N(0, 0.01^2) and bias 0; the loss is half the squared error. There are no test data.
    """
    table = np.array([line.split("\t") for line in FILE.read(data_dir).decode().split("\n") if line], dtype=float)
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    rows = torch.from_numpy(table[:ROWS]).float()
    return Problem(model=small_linear, loss=half_squared_error, train=(rows[:, :-1], rows[:, -1:]), name="airfoil")


def small_linear(features: int = 5) -> nn.Linear:
    """A linear model with small random weights and no bias to begin with."""
    model = nn.Linear(features, 1)
    nn.init.normal_(model.weight, std=0.01)
    nn.init.zeros_(model.bias)
    return model
