import math

import pytest

from fallline.study.tried_rates import robustness, tried_rates
from tests.study.by_hand import record
from tests.study.studies import compare


def searched(losses, **others):
    return [record(lr=lr, seed=s, loss=loss, **others) for lr, runs in losses.items() for s, loss in enumerate(runs)]


def test_the_width_of_the_good_rates():
    found = robustness(
        searched({0.01: [1.0, 1.0, 9.0], 0.001: [1.4] * 3, 0.1: [1.2] * 3, 1.0: [math.inf, math.inf, 2.0]})
    )
    assert (found.best_rate, found.best_loss) == (0.01, 1.0)
    assert found.decades == pytest.approx({0.05: 0.375, 0.1: 0.75})
    assert found.diverged == 2 / 12


def test_each_rate_stands_with_its_best_other_values():
    records = [
        *searched({0.1: [1.0], 0.01: [2.0]}, momentum=0.5),
        *searched({0.1: [3.0], 0.01: [0.5]}, momentum=0.9),
    ]
    assert {rate: runs[0]["hyperparameters"]["momentum"] for rate, runs in tried_rates(records).items()} == {
        0.01: 0.9,
        0.1: 0.5,
    }


def test_where_everything_differs_nothing_is_known_of_a_rate():
    records = [*searched({0.1: [1.0]}, momentum=0.5), *searched({0.01: [2.0]}, momentum=0.9)]
    assert tried_rates(records) == {}
    assert robustness(records) is None


def test_nothing_is_known_where_rates_were_tried_on_other_seeds():
    assert robustness(searched({0.001: [0.1], 0.01: [1.0, 1.0], 0.1: [2.0, 2.0]})) is None
    seeds = [record(lr=lr, seed=seed) for lr, seed in ((0.1, 0), (0.1, 1), (1.0, 1), (1.0, 2))]
    assert robustness(seeds) is None


@pytest.mark.parametrize("losses", [{}, {0.1: [1.0, 2.0]}, {0.0: [1.0], 0.1: [1.0]}])
def test_one_rate_has_no_width(losses):
    assert robustness(searched(losses)) is None


def test_results_have_it_for_every_row(tmp_path):
    results = compare(tmp_path, lrs=[0.01, 0.1, 1e4])
    told = results.to_json()["ranking"]
    for row, plain in zip(results.ranking, told, strict=True):
        found = results.rate_robustness(row)
        assert found.best_rate == row.hyperparameters["lr"]
        assert list(plain["rate_robustness"]["decades"]) == ["0.05", "0.1"]
        assert results.expected_best(row).expected.results[-1] == row.score
        assert plain["expected_best"]["expected"][-1] == row.score
    assert {row.optimizer: results.rate_robustness(row).diverged for row in results.ranking}["sgd"] == 2 / 6
