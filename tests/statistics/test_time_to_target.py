import math

import pytest
from scipy import stats

from fallline import InputError
from fallline.statistics import time_to_target


def test_four_runs_by_hand():
    found = time_to_target([10.0, math.inf, 30.0, 20.0], watched=[100.0] * 4)
    assert found.times == (10.0, 20.0, 30.0)
    assert found.without == pytest.approx([0.75, 0.5, 0.25])
    assert (found.median, found.cost) == (20.0, (10 + 20 + 30 + 100) / 3)
    interval = stats.binomtest(3, 4).proportion_ci(method="wilson")
    assert (found.hits.estimate, found.hits.low, found.hits.high) == (0.75, interval.low, interval.high)


def test_a_run_that_was_cut_short_leaves_the_others_at_risk():
    # Kaplan and Meier by hand: 4/5 at 10; one is cut at 15; of the 3 left one hits at 20: 4/5 * 2/3; at 40: half of it.
    found = time_to_target([10.0, None, 20.0, 40.0, None], watched=[50.0, 15.0, 50.0, 50.0, 50.0])
    assert found.times == (10.0, 20.0, 40.0)
    assert found.without == pytest.approx([4 / 5, 8 / 15, 4 / 15])
    assert found.median == 40.0


def test_a_run_that_diverged_is_no_better_than_one_that_never_arrives():
    for watched, without in ((100.0, 0.5), (5.0, 0.0)):
        found = time_to_target([10.0, None], watched=[100.0, watched])
        assert found.without[-1] == pytest.approx(without)


def test_what_was_spent_makes_the_cost():
    found = time_to_target([10.0, None], watched=[100.0, 100.0], spent=[100.0, 3.0])
    assert found.cost == 13.0


def test_the_median_of_exactly_a_half_is_not_lost_to_rounding():
    assert time_to_target([float(i) for i in range(1, 11)], watched=[10.0] * 10).median == 5.0
    # The product 23/24 * 22/23 * ... * 12/13 rounds to 0.5000000000000001.
    assert time_to_target([*range(1, 13), *[None] * 12], watched=[50.0] * 24).median == 12.0


def test_without_any_hit_nothing_is_finite():
    found = time_to_target([None, math.nan], watched=[10.0, 10.0])
    assert (found.hits.count, found.median, found.cost, found.times) == (0, math.inf, math.inf, ())


def test_hits_at_one_time_fall_together():
    assert time_to_target([5.0, 5.0, 7.0, 7.0], watched=[9.0] * 4).without == pytest.approx((0.5, 0.0))


def test_times_must_be_within_what_was_watched():
    with pytest.raises(InputError, match="first_reached must be within the time watched"):
        time_to_target([11.0], watched=[10.0])
    with pytest.raises(InputError, match="watched must be a finite time of at least 0 for each of 2 runs"):
        time_to_target([1.0, 2.0], watched=[10.0])
    with pytest.raises(InputError, match="spent must be a finite time"):
        time_to_target([1.0], watched=[10.0], spent=[math.nan])
