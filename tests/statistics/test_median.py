import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from fallline.statistics import median_interval


def test_three_values_reach_three_quarters():
    interval = median_interval([3.0, 1.0, 2.0])
    assert (interval.median, interval.low, interval.high, interval.level) == (2, 1, 3, 0.75)


def test_ten_values_as_in_tables_of_the_sign_test():
    interval = median_interval([float(i) for i in range(1, 11)])
    assert (interval.median, interval.low, interval.high) == (5.5, 2, 9)
    assert interval.level == pytest.approx(1 - 2 * 11 / 1024)


def test_diverged_runs_count_as_infinite():
    interval = median_interval([1.0, math.nan, math.inf])
    assert (interval.median, interval.low, interval.high) == (math.inf, 1, math.inf)


def test_one_value_has_no_level():
    assert median_interval([2.0]).level == 0


@pytest.mark.parametrize("n", [3, 5, 8, 12])
def test_the_level_is_the_exact_coverage(n):
    interval = median_interval([float(i) for i in range(n)])
    k = int(interval.low)
    covered = sum(k < sum(signs) < n - k for signs in product((0, 1), repeat=n))
    assert interval.level == pytest.approx(covered / 2**n)
    assert interval.level == pytest.approx(1 - 2 * stats.binom.cdf(k, n, 0.5))


def test_an_even_number_of_infinite_values_has_an_infinite_median():
    assert median_interval([1.0, np.inf]).median == np.inf
