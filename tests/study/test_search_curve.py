from itertools import combinations

import numpy as np
import pytest

from fallline.study.search_curve import search_curve
from tests.study.by_hand import record

TRIALS = [0.7, 0.2, float("inf"), 0.5, 0.9, 1.3, 0.4, 2.0, float("inf"), 0.6, 0.8]


def searched(results, seeds=1):
    return [record(lr=10.0**-i, seed=s, loss=loss) for i, loss in enumerate(results) for s in range(seeds)]


def test_the_band_is_that_of_all_choices_of_so_many_trials():
    found = search_curve(searched(TRIALS))
    assert found.trials == tuple(TRIALS)
    for k, (low, high) in enumerate(found.quartiles, start=1):
        best = sorted(min(chosen) for chosen in combinations(TRIALS, k))
        shares = np.arange(1, len(best) + 1) / len(best)
        assert low == best[int(np.argmax(shares >= 0.25 - 1e-9))]
        assert high == best[int(np.argmax(shares >= 0.75 - 1e-9))]


def test_a_trials_result_is_the_median_of_its_runs():
    runs = [record(lr=0.1, seed=s, loss=loss) for s, loss in enumerate([1.0, 5.0, 2.0])]
    found = search_curve([*runs, *(record(lr=0.2, seed=s, loss=3.0) for s in range(3))])
    assert found.trials == (2.0, 3.0)
    assert found.expected.results == (2.5, 2.0)
    assert found.quantity == "validation_loss"


@pytest.mark.parametrize("records", [[], searched([0.5], seeds=3)])
def test_one_trial_has_no_curve(records):
    assert search_curve(records) is None
