"""Slopes, gap and K of a surface whose derivatives can be written down."""

import math

import pytest
import torch

from fallline.gallery.descent import LENGTHS, Landscape

SEEN = Landscape("bowl", lambda p: 0.1 * p[0] ** 2 + 2 * p[1] ** 2, torch.tensor([-5.0, -2.0], dtype=torch.float64))


def test_the_gradient_is_the_surfaces():
    assert SEEN.steepness == pytest.approx(math.sqrt(65))
    assert (SEEN.downhill * math.sqrt(65)).tolist() == pytest.approx([1, 8])


def test_slopes_are_the_first_derivative_and_half_the_second():
    along_x1, along_x2 = SEEN.slopes(torch.eye(2, dtype=torch.float64), 0.5).tolist()
    assert (along_x1, along_x2) == pytest.approx((-1 + 0.25 * 0.2, -8 + 0.25 * 4))


def test_the_gap_is_half_the_curvature_along_the_gradient():
    half = (0.2 * 1 + 4 * 64) / 65 / 2
    assert SEEN.half_curvature_downhill() == pytest.approx(half)
    assert [SEEN.gap(e) / e for e in LENGTHS] == pytest.approx([half] * 3, rel=1e-6)


def test_k_is_half_the_largest_curvature():
    assert SEEN.bound(torch.eye(2, dtype=torch.float64)) == pytest.approx(2)
