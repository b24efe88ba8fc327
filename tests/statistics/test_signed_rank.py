"""The test against scipy, against every sign flip, and its interval against the test."""

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from fallline.statistics import signed_rank_interval, signed_rank_test
from fallline.statistics.signed_rank import untied


@pytest.mark.parametrize("n", [1, 5, 6, 10, 23, 50])
def test_without_ties_it_is_scipys_exact_test(n):
    values = np.random.default_rng(n).normal(0.3, 1.0, n)
    expected = stats.wilcoxon(values, method="exact")
    found = signed_rank_test(values)
    assert min(found.positive, found.negative) == expected.statistic
    assert found.p == pytest.approx(expected.pvalue, rel=1e-12)


def by_every_flip(values):
    ranks = stats.rankdata(np.abs(values))
    sums = [ranks[(np.array(signs) > 0) & (values != 0)].sum() for signs in product((-1, 1), repeat=len(values))]
    positive, total = ranks[values > 0].sum(), ranks[values != 0].sum()
    return np.mean([min(found, total - found) <= min(positive, total - positive) for found in sums])


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 1.0, 1.0, -2.0, 3.0, 3.0],
        [0.0, 0.0, 1.0, -2.0, 3.0, 4.0, 5.0],
        [math.inf, math.inf, -math.inf, 1.0, -2.0, 3.0],
        [math.inf] * 6,
        [0.0, 0.0, 0.0],
        [-1.0, 2.0, -2.0, 2.0, 0.0, math.inf, math.inf, 0.5],
    ],
)
def test_with_ties_zeros_and_infinities_it_is_the_share_of_all_sign_flips(values):
    assert signed_rank_test(values).p == pytest.approx(by_every_flip(np.array(values)), rel=1e-12)


def test_sums_worked_by_hand():
    found = signed_rank_test([0.5, -1.0, 2.0, 2.0, 0.0])  # sizes 0, 0.5, 1, 2, 2: ranks 1 2 3 4.5 4.5
    assert (found.positive, found.negative) == (11.0, 3.0)
    # 2, 3, 4.5, 4.5 give sums of at most 3 in three of 16 ways: none, 2, 3. Both sides: 6 / 16.
    assert found.p == 0.375


def test_a_larger_gain_is_never_less_significant():
    for moved in (0.0, 0.1, 0.5, 1.5, 2.5, 9.0, math.inf):
        assert (
            signed_rank_test([moved, 1.0, 2.0, -0.3, 3.0, 0.0, 4.0]).p
            <= signed_rank_test([-0.1, 1.0, 2.0, -0.3, 3.0, 0.0, 4.0]).p
        )


def test_the_interval_holds_what_the_test_does_not_reject():
    values = np.random.default_rng(3).normal(size=12)
    interval = signed_rank_interval(values)
    alpha = 1 - interval.level
    for shift in np.linspace(-2, 2, 400):
        rejected = signed_rank_test(values - shift).p <= alpha + 1e-12
        assert rejected != (interval.low <= shift <= interval.high)


@pytest.mark.parametrize(
    ("n", "outside", "level"), [(5, 0, 1 - 2 / 32), (6, 0, 1 - 2 / 64), (8, 3, 1 - 10 / 256), (10, 8, 1 - 50 / 1024)]
)
def test_levels_of_printed_tables(n, outside, level):
    values = [float(2**i) for i in range(n)]
    means = sorted((a + b) / 2 for i, a in enumerate(values) for b in values[i:])
    found = signed_rank_interval(values)
    assert (found.low, found.high, found.level) == (means[outside], means[-1 - outside], level)


def test_one_difference_has_no_level():
    found = signed_rank_interval([3.0])
    assert (found.estimate, found.low, found.high, found.level) == (3.0, 3.0, 3.0, 0.0)


def test_infinite_differences_make_infinite_ends():
    one = signed_rank_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, math.inf])
    assert (one.low, one.high) == (2.0, math.inf)
    assert one.estimate == 4.5  # of 36 means 8 are infinite; 16 are at most 4, and the next three are 4.5
    most = signed_rank_interval([math.inf] * 7 + [0.0])
    assert (most.estimate, most.low, most.high) == (math.inf, math.inf, math.inf)


def test_what_hangs_on_the_mean_of_both_infinities_is_unknown():
    found = signed_rank_interval([math.inf] * 3 + [-math.inf] * 3)
    assert math.isnan(found.estimate)
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_both_diverged_everywhere_is_no_difference():
    found = signed_rank_interval([0.0] * 8)
    assert (found.estimate, found.low, found.high) == (0.0, 0.0, 0.0)


DRAWS = {
    "normal": lambda stream, size: stream.normal(size=size),
    "cauchy": lambda stream, size: stream.standard_cauchy(size),
    "uniform": lambda stream, size: stream.uniform(-1, 1, size),
    "rounded, with ties and zeros": lambda stream, size: np.round(stream.normal(size=size)),
    "a tenth infinite on either side": lambda stream, size: stream.choice(
        [-math.inf, math.inf, 1.0, -1.0, 0.2, -0.2, 2.5, -2.5, 0.1, -0.1], size
    ),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize("n", [6, 11])
def test_intervals_of_symmetric_differences_cover_at_their_level(draw, n):
    repetitions = 2000
    level = signed_rank_interval([float(i) for i in range(n)]).level
    covered = 0
    for values in draw(np.random.default_rng(n), (repetitions, n)):
        found = signed_rank_interval(values)
        covered += found.low <= 0 <= found.high
    error = 3 * math.sqrt(level * (1 - level) / repetitions)
    assert covered / repetitions >= level - error
    if draw is DRAWS["normal"]:
        assert covered / repetitions <= level + error


def test_the_null_distribution_sums_to_one_for_many_seeds():
    below = untied(120)
    assert below[-1] == pytest.approx(1.0)
    assert below[120 * 121 // 4] == pytest.approx(0.5, abs=2e-3)
