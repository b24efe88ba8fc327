import math

import numpy as np
import pytest
from scipy import stats

from fallline.statistics import detectable_difference, signed_rank_test


def with_deviation(n, deviation):
    values = np.random.default_rng(0).normal(size=n)
    return (values - values.mean()) / values.std(ddof=1) * deviation


@pytest.mark.parametrize("n", [10, 12])
def test_where_all_seeds_must_be_won_it_is_that_chance(n):
    # Each of n normal differences must be above 0: (1 - Phi(-shift))^n = 0.8.
    pairs = math.floor(0.05 / (2 / 2**n))
    shift = stats.norm.ppf(0.8 ** (1 / n))
    assert detectable_difference(with_deviation(n, 3.0), pairs) == pytest.approx(3 * shift, rel=0.01)


@pytest.mark.parametrize(("n", "pairs"), [(10, 1), (12, 15), (20, 15)])
def test_a_planted_difference_of_that_size_is_found_in_four_of_five_studies(n, pairs):
    shift = detectable_difference(with_deviation(n, 1.0), pairs)
    repetitions, power = 2000, 0.8
    studies = np.random.default_rng(n).normal(shift, 1.0, (repetitions, n))
    found = np.mean([signed_rank_test(study).p * pairs <= 0.05 for study in studies])
    assert abs(found - power) < 3 * math.sqrt(power * (1 - power) / repetitions) + 0.01


def test_it_grows_with_the_spread_and_the_pairs_and_falls_with_the_seeds():
    assert detectable_difference(with_deviation(12, 2.0)) == pytest.approx(
        2 * detectable_difference(with_deviation(12, 1.0))
    )
    assert detectable_difference(with_deviation(12, 1.0), 15) > detectable_difference(with_deviation(12, 1.0), 1)
    assert detectable_difference(with_deviation(40, 1.0)) < detectable_difference(with_deviation(12, 1.0))
    assert detectable_difference(with_deviation(12, 1.0), power=0.5) < detectable_difference(with_deviation(12, 1.0))


def test_nothing_can_be_found_with_too_few_seeds_or_among_divergences():
    assert detectable_difference([1.0, 2.0, 3.0, 4.0, 5.0]) == math.inf
    assert detectable_difference(with_deviation(9, 1.0), pairs=15) == math.inf
    assert detectable_difference([*with_deviation(9, 1.0), -math.inf]) == math.inf


def test_without_any_spread_the_least_difference_is_seen():
    assert detectable_difference([0.25] * 10) == 0.0
