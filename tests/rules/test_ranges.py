"""Ranges and logarithmic search spaces."""

import math

import pytest

from fallline.errors import InputError
from fallline.rules import LogRange, Range


def test_closed_ends_belong_and_open_ends_do_not() -> None:
    closed, opened = Range(0.0, 1.0), Range(0.0, 1.0, low_open=True, high_open=True)
    assert 0.0 in closed
    assert 1.0 in closed
    assert 0.0 not in opened
    assert 1.0 not in opened
    assert 0.5 in opened


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_no_range_holds_what_is_not_finite(value: float) -> None:
    assert value not in Range()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Range(), "a finite number"),
        (Range(0.0), "a finite number of at least 0"),
        (Range(0.0, low_open=True), "a finite number above 0"),
        (Range(0.0, 1.0, high_open=True), "in [0, 1)"),
        (Range(0.0, 1.0, low_open=True), "in (0, 1]"),
    ],
)
def test_range_in_words(found: Range, words: str) -> None:
    assert str(found) == words


def test_grid_is_even_on_a_logarithmic_scale_with_both_ends() -> None:
    assert LogRange(1e-3, 1e1).grid(5) == (1e-3, 1e-2, 1e-1, 1.0, 10.0)
    assert LogRange(1.0, 2.0).grid(3) == (1.0, 1.41421, 2.0)


@pytest.mark.parametrize("ends", [(0.0, 1.0), (-1.0, 1.0), (1.0, 1.0), (2.0, 1.0), (1.0, math.inf)])
def test_ends_must_be_positive_and_ordered(ends: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="0 < low < high"):
        LogRange(*ends)


def test_grid_needs_two_values() -> None:
    with pytest.raises(InputError, match="at least 2 values; got 1"):
        LogRange(0.1, 1.0).grid(1)
