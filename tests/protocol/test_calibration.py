"""The whole protocol on made-up losses; benchmarks/calibration.py does it with 2,000 studies of each kind."""

import pytest

from fallline.protocol import Seeds
from tests.scripts import loaded


@pytest.fixture(scope="module")
def calibration():
    return loaded("benchmarks/calibration.py")


def test_copies_are_seldom_called_different_where_the_search_is_repeated(calibration):
    found = calibration.claims(calibration.World((0.0, 0.0)), Seeds(3, 3, 10), 200)
    assert found["low"] <= 0.05


def test_copies_are_often_called_different_as_tuned_once(calibration):
    found = calibration.claims(calibration.World((0.0, 0.0)), Seeds(3, 10), 100)
    assert found["low"] > 0.3


def test_six_copies_at_the_values_given_are_seldom_told_apart(calibration):
    found = calibration.claims(calibration.World((0.0,) * 6, skewed=True), Seeds(3, 10), 60, search=False)
    assert found["low"] <= 0.05


@pytest.mark.parametrize("seeds", [Seeds(3, 10), Seeds(3, 3, 10)], ids=["one search", "repeated"])
def test_intervals_hold_the_truth_as_often_as_they_say(calibration, seeds):
    found = calibration.coverage(calibration.World((0.0, 0.05)), seeds, 100)
    assert found["level"] == pytest.approx(0.951, abs=1e-3)
    assert found["low"] <= found["level"] <= found["high"]


def test_a_planted_difference_is_found_as_often_as_computed(calibration):
    found = calibration.power(2, 200, Seeds(3, 10))
    assert found["low"] <= 0.8 <= found["high"]
