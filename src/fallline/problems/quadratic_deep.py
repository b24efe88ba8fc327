"""`quadratic-deep`: a noisy quadratic in 100 dimensions whose curvatures are spread as those of deep networks are."""

import numpy as np
import torch
from torch import Tensor, nn

from fallline.problems.problem import Problem

DIMENSIONS = 100
STEEP = 10
ROWS, TEST_ROWS = 1000, 896
DEVIATION = 0.6


def quadratic_deep() -> Problem:
    """The mean of (theta - x)^T H (theta - x) / 2 over x ~ N(0, 0.6^2) in 100 dimensions, from theta = 1.

    H has 90 eigenvalues from U(0, 1) and 10 from U(30, 60), in a random rotation. The problem `quadratic_deep` of
    DeepOBS (Schneider, Balles and Hennig, 2019, arXiv:1903.05499), drawn as there, so that its published sweeps can be
    held against: 1,000 training rows, the first 896 of as many test rows, batches of 128 without the ragged last one,
    100 epochs. It names Chaudhari et al. (2017, arXiv:1611.01838) for the shape of the spectrum.

    Values are chosen on 1,000 rows more of the same law, which DeepOBS has not: it chooses on the test rows. Every
    row x comes with x H, so that a population need not make it for each of its members.

    >>> quadratic_deep().train[0].shape
    torch.Size([1000, 100])
    """
    h = hessian().float()
    return Problem(
        model=lambda: QuadraticForm(h),
        loss=mean_form,
        train=_beside_h(_rows(seed=42), h),
        validation=_beside_h(_rows(seed=44), h),
        test=_beside_h(_rows(seed=43)[:TEST_ROWS], h),
        name="quadratic-deep",
        batch_size=128,
        epochs=100,
        drop_last=True,
    )


class QuadraticForm(nn.Module):
    """(theta - x)^T H (theta - x) / 2 of each row x; theta is trained, from (1, ..., 1), and H is not."""

    def __init__(self, h: Tensor) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.ones(len(h), dtype=h.dtype))
        self.register_buffer("h", h, persistent=False)
        self.h: Tensor

    def forward(self, x: Tensor, xh: Tensor | None = None) -> Tensor:
        """The forms of rows (rows, dimensions), which may be given with their products with H, (rows,)."""
        xh = x @ self.h if xh is None else xh
        slope = self.h @ self.theta
        return (x * xh).sum(dim=1) / 2 - x @ slope + self.theta @ slope / 2


def mean_form(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """The mean of what the model makes of a batch."""
    forms: Tensor = model(*batch)
    return forms.mean()


def hessian() -> Tensor:
    """H = R^T diag(eigenvalues) R, (100, 100) in float64; the eigenvalues are drawn before R."""
    generator = np.random.RandomState(42)
    gentle = generator.uniform(0.0, 1.0, DIMENSIONS - STEEP)
    steep = generator.uniform(30.0, 60.0, STEEP)
    rotation = random_rotation(DIMENSIONS, generator)
    h = rotation.T @ (np.concatenate([gentle, steep])[:, None] * rotation)
    return torch.from_numpy(h)


def random_rotation(dimensions: int, generator: np.random.RandomState) -> np.ndarray:
    """A rotation drawn uniformly, by the subgroup algorithm (Diaconis and Shahshahani, 1987).

    A rotation of the last d dimensions is followed by a reflection that takes the first axis anywhere on the sphere,
    for d = 2, 3, ...
    """
    angle = 2 * np.pi * generator.uniform()
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for d in range(2, dimensions):
        target = generator.normal(size=d + 1)
        target /= np.linalg.norm(target)
        mirror = np.eye(d + 1)[0] - target
        mirror /= np.linalg.norm(mirror)
        larger = np.eye(d + 1)
        larger[1:, 1:] = rotation
        rotation = larger - 2 * np.outer(mirror, mirror @ larger)
    return -rotation


def _rows(seed: int) -> Tensor:
    drawn = np.random.RandomState(seed).normal(0.0, DEVIATION, (ROWS, DIMENSIONS))
    return torch.from_numpy(drawn.astype(np.float32))


def _beside_h(x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    return x, (x.double() @ h.double()).to(x.dtype)
