"""Optimizers over several problems."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from fallline import InputError
from fallline.statistics import bounded_mean, mean_ranks, problem_ratio


def test_factors_by_hand():
    found = problem_ratio([1.0, 2.0, 4.0], [2.0, 8.0, 4.0])  # 1/2, 1/4, 1
    assert found.geometric_mean == pytest.approx(0.5)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.25, 1.0))
    assert found.interval.level == 0.75


def test_scales_of_problems_play_no_part():
    scales = np.array([1e-6, 1.0, 1e9, 3.0])
    first, second = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 1.0, 9.0, 5.0])
    one, other = problem_ratio(first, second), problem_ratio(first * scales, second * scales)
    assert one.geometric_mean == pytest.approx(other.geometric_mean)
    assert (one.interval.low, one.interval.high) == pytest.approx((other.interval.low, other.interval.high))


def test_divergences_make_infinite_factors():
    found = problem_ratio([1.0, math.inf, 1.0], [2.0, 1.0, 4.0])
    assert found.geometric_mean is None
    assert (found.interval.low, found.interval.high) == (pytest.approx(0.25), math.inf)
    better = problem_ratio([1.0, 1.0], [math.inf, 1.0])
    assert (better.interval.low, better.interval.high) == (0.0, 1.0)


def test_losses_must_be_above_zero():
    with pytest.raises(InputError, match="second must be above 0, since only then a ratio means something"):
        problem_ratio([1.0, 2.0], [1.0, 0.0])


def test_mean_ranks_with_ties_and_divergences_by_hand():
    found = mean_ranks([[1.0, 2.0, 3.0], [5.0, 5.0, math.nan], [math.inf, 1.0, math.nan]])
    assert [interval.estimate for interval in found] == pytest.approx([(1 + 1.5 + 2.5) / 3, (2 + 1.5 + 1) / 3, 8.5 / 3])
    higher = mean_ranks([[0.9, 0.8, math.nan]], higher_is_better=True)
    assert [interval.estimate for interval in higher] == [1.0, 2.0, 3.0]


def test_first_on_all_of_few_problems_proves_little():
    first = mean_ranks([[1.0, 2.0, 3.0, 4.0]] * 5)[0]
    assert (first.estimate, first.low) == (1.0, 1.0)
    assert first.high == pytest.approx(1 + 3 * (1 - 0.025 ** (1 / 5)))


def test_ends_of_the_interval_solve_the_inequality():
    found = bounded_mean(np.array([0.2, 0.5, 0.5, 0.4]), 0.0, 1.0)

    def entropy(mu):
        return 0.4 * math.log(0.4 / mu) + 0.6 * math.log(0.6 / (1 - mu))

    for end in (found.low, found.high):
        assert 4 * entropy(end) == pytest.approx(math.log(40))
    assert found.low == pytest.approx(optimize.brentq(lambda mu: 4 * entropy(mu) - math.log(40), 1e-9, 0.4))


@pytest.mark.parametrize("n", [2, 5, 30])
def test_the_mean_of_coins_is_covered_at_every_probability(n):
    ends = [bounded_mean(np.array([1.0] * k + [0.0] * (n - k)), 0.0, 1.0) for k in range(n + 1)]
    for p in np.linspace(0, 1, 41):
        covered = sum(
            stats.binom.pmf(k, n, p) for k, end in enumerate(ends) if end.low - 1e-12 <= p <= end.high + 1e-12
        )
        assert covered >= 0.95


def test_a_single_optimizer_is_always_first():
    assert mean_ranks([[1.0], [2.0]])[0].high == 1.0


def test_a_table_of_results_is_asked_for():
    with pytest.raises(InputError, match="results must be a table with optimizers as columns"):
        mean_ranks([1.0, 2.0])
