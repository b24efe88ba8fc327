import math
from itertools import combinations

import numpy as np
import pytest

from fallline.statistics import expected_best


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_it_is_the_mean_over_all_subsets(n):
    results = np.random.default_rng(n).normal(size=n)
    results[: n // 3] = np.round(results[: n // 3])
    expected = [np.mean([min(part) for part in combinations(results, k)]) for k in range(1, n + 1)]
    assert expected_best(results).results == pytest.approx(expected, rel=1e-12)


def test_of_accuracies_the_highest_is_best():
    found = expected_best([0.5, 0.9, 0.7], higher_is_better=True)
    assert found.results == pytest.approx([0.7, (0.9 + 0.9 + 0.7) / 3, 0.9])


def test_the_expectation_is_infinite_while_all_trials_may_diverge():
    found = expected_best([math.nan, 2.0, math.inf, 4.0])
    # Of the 6 pairs one is of the diverged alone; of the 4 triples none is.
    assert found.all_diverged == pytest.approx([2 / 4, 1 / 6, 0.0, 0.0])
    assert found.results == pytest.approx([math.inf, math.inf, (2 + 2 + 2 + 4) / 4, 2.0])
    assert expected_best([math.nan, 0.5], higher_is_better=True).results == (-math.inf, 0.5)


def test_quartiles_are_those_of_all_choices_of_so_many_trials():
    trials = [0.7, 0.2, math.inf, 0.5, 0.9, 1.3, 0.4, 2.0, math.inf, 0.6, 0.8]
    for k, (low, high) in enumerate(expected_best(trials).quartiles, start=1):
        best = sorted(min(chosen) for chosen in combinations(trials, k))
        shares = np.arange(1, len(best) + 1) / len(best)
        assert low == best[int(np.argmax(shares >= 0.25 - 1e-9))]
        assert high == best[int(np.argmax(shares >= 0.75 - 1e-9))]
    assert expected_best([0.5, 0.9, 0.7], higher_is_better=True).quartiles[1] == (0.9, 0.7)


def test_where_all_diverge_nothing_is_found():
    found = expected_best([math.inf, math.nan])
    assert found.results == (math.inf, math.inf)
    assert found.all_diverged == pytest.approx([1.0, 1.0])


def test_it_is_unbiased_where_drawing_with_replacement_is_not():
    stream, n, k, repetitions = np.random.default_rng(0), 6, 4, 4000
    searches = stream.exponential(size=(repetitions, n))  # the least of 4 is 1/4 in the mean
    unbiased = np.array([expected_best(search).results[k - 1] for search in searches])
    ordered = np.sort(searches, axis=1)
    above = (1 - np.arange(n) / n) ** k
    replaced = ordered @ (above - np.append(above[1:], 0.0))
    error = 3 * unbiased.std() / math.sqrt(repetitions)
    assert abs(unbiased.mean() - 1 / k) < error
    assert replaced.mean() - 1 / k > error


def test_many_trials_neither_overflow_nor_lose_digits():
    found = expected_best(np.arange(3000.0)).results
    assert found[0] == pytest.approx(1499.5)
    assert found[999] == pytest.approx(3001 / 1001 - 1)  # the least of 1000 of 1..3000 is 3001 / 1001 in the mean
    assert found[-1] == 0.0
