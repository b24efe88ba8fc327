import math

import pytest
from scipy import stats

from fallline import InputError
from fallline.statistics import differences, exact_proportion, paired, wilson_proportion


def test_one_huge_or_tiny_pair_makes_no_tie():
    adam = [0.1 + 0.01 * i for i in range(9)]
    for first, second in ((0.1, 1e13), (0.1, 5.0), (1e-14, 3e-14)):
        found = paired([*adam, first], [*(loss + 0.05 for loss in adam), second])
        assert (found.won, found.lost, found.tied) == (10, 0, 0)


def test_rows_of_accuracy_tie_whatever_the_accuracy():
    assert len(set(differences([349 / 360, 9 / 360, 1 / 360], [350 / 360, 10 / 360, 2 / 360]).tolist())) == 1


def test_five_seeds_counted_by_hand():
    found = paired([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 4.0, 3.0, 3.0, 9.0])  # -1, -2, 0, 1, -4
    assert (found.won, found.lost, found.tied, found.seeds) == (3, 1, 1, 5)
    assert (found.median, found.mean) == (-1.0, pytest.approx(-1.2))
    assert found.better.estimate == 0.6


def test_the_probability_of_being_better_is_that_of_clopper_and_pearson():
    better = paired([0.0] * 10, [1.0] * 8 + [-1.0, 0.0]).better
    assert (better.count, better.of) == (8, 10)
    assert better.low == pytest.approx(stats.beta.ppf(0.025, 8, 3))
    assert better.high == pytest.approx(stats.beta.ppf(0.975, 9, 2))


def test_there_is_no_mean_where_anybody_diverged():
    one = paired([1.0, math.nan, 2.0], [2.0, 5.0, 3.0])
    assert (one.won, one.lost, one.median, one.mean) == (2, 1, -1.0, None)
    both = paired([1.0, math.inf, 2.0], [2.0, math.inf, 3.0])
    assert (both.won, both.tied, both.mean) == (2, 1, None)


def test_the_median_between_the_infinities_is_unknown():
    assert math.isnan(paired([1.0, math.inf], [math.inf, 1.0]).median)


def test_exact_intervals_have_their_level_at_every_probability():
    n = 12
    intervals = [exact_proportion(count, n) for count in range(n + 1)]
    for p in [i / 50 for i in range(51)]:
        covered = sum(
            stats.binom.pmf(count, n, p)
            for count, interval in enumerate(intervals)
            if interval.low <= p <= interval.high
        )
        assert covered >= 0.95


@pytest.mark.parametrize("count", [0, 1, 3, 7])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_exact_intervals_are_scipys(count, level):
    found = exact_proportion(count, 7, level)
    expected = stats.binomtest(count, 7).proportion_ci(level, "exact")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("interval", [exact_proportion, wilson_proportion])
@pytest.mark.parametrize(("count", "of"), [(3, 2), (-1, 3), (0, 0)])
def test_counts_beyond_the_times_there_were_are_refused(interval, count, of):
    with pytest.raises(InputError, match="count must be between 0 and the"):
        interval(count, of)


def test_wilson_by_its_formula():
    z, n, share = stats.norm.ppf(0.975), 10, 0.7
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    found = wilson_proportion(7, n)
    assert (found.low, found.high) == pytest.approx((middle - half, middle + half))
