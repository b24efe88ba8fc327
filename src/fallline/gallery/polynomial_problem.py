"""Polynomials of any degree against a cubic with noise: y = 5 + 1.2 x - 3.4 x^2/2! + 5.6 x^3/3! + 0.1 N(0, 1)."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from fallline.problems import Problem
from fallline.randomness import torch_stream

WEIGHTS = (5.0, 1.2, -3.4, 5.6)
ROWS = 100
DEGREES = 20


class Polynomial(nn.Module):
    """A linear model of the first features: those of the powers up to `degree`."""

    def __init__(self, degree: int) -> None:
        super().__init__()
        self.linear = nn.Linear(degree + 1, 1, bias=False).double()

    def forward(self, features: Tensor) -> Tensor:
        """Features (rows, 20) to predictions (rows, 1)."""
        found: Tensor = self.linear(features[:, : self.linear.in_features])
        return found


def polynomial(draw: int) -> Problem:
    """The problem on its own draw of 100 training and 100 test rows, x ~ N(0, 1), features x^i / i!, i below 20."""
    generator = torch_stream(draw, "polynomial")
    x = torch.randn(2 * ROWS, 1, generator=generator, dtype=torch.float64)
    factorials = torch.tensor([math.factorial(i) for i in range(DEGREES)], dtype=torch.float64)
    features = x ** torch.arange(DEGREES) / factorials
    noise = torch.randn(2 * ROWS, 1, generator=generator, dtype=torch.float64)
    y = features[:, : len(WEIGHTS)] @ torch.tensor(WEIGHTS, dtype=torch.float64)[:, None] + 0.1 * noise
    return Problem(
        model=Polynomial,
        loss=mse_loss,
        train=(features[:ROWS], y[:ROWS]),
        validation=0.0,
        test=(features[ROWS:], y[ROWS:]),
        factors={"degree": 3},
        name=f"polynomial-{draw}",
    )
