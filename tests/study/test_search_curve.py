import pytest

from fallline.study.search_curve import search_curve
from tests.study.by_hand import record


def searched(results, seeds=1):
    return [record(lr=10.0**-i, seed=s, loss=loss) for i, loss in enumerate(results) for s in range(seeds)]


def test_a_trials_result_is_the_median_of_its_runs():
    runs = [record(lr=0.1, seed=s, loss=loss) for s, loss in enumerate([1.0, 5.0, 2.0])]
    found = search_curve([*runs, *(record(lr=0.2, seed=s, loss=3.0) for s in range(3))])
    assert found.trials == (2.0, 3.0)
    assert found.expected.results == (2.5, 2.0)
    assert found.quantity == "validation_loss"


@pytest.mark.parametrize("records", [[], searched([0.5], seeds=3)])
def test_one_trial_has_no_curve(records):
    assert search_curve(records) is None
