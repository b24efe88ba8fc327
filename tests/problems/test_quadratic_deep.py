import numpy as np
import pytest
import torch

import fallline as fl
from fallline.errors import InputError
from fallline.problems import load
from fallline.problems.quadratic_deep import hessian, random_rotation

PUBLISHED_TEST_LOSSES_OF_SGD = {1e-3: 95.85272979736328, 10**-1.8: 87.51817212785993}
"""After 100 epochs, from the sweeps published with DeepOBS (commit 873bbc27, seeds 42 and 46)."""


def in_double(theta, x):
    d = theta - x.double()
    return float(((d @ hessian()) * d).sum(dim=1).mean() / 2)


def test_losses_are_those_that_are_published_to_all_printed_digits():
    problem = load("quadratic-deep")
    (train, _), (test, products) = problem.train, problem.test
    start, least = torch.ones(100, dtype=torch.float64), train.double().mean(dim=0)
    assert in_double(start, test) == pytest.approx(353.446764, abs=2e-6)
    assert in_double(least, test) == pytest.approx(87.04601, abs=5e-6)
    assert in_double(least, train) == pytest.approx(84.76965, abs=5e-6)
    # Published were means of batches of 128 in float32.
    model = problem.make_model()
    with torch.no_grad():
        mean = (
            sum(float(problem.loss(model, part)) for part in zip(test.split(128), products.split(128), strict=True)) / 7
        )
        assert mean == pytest.approx(353.446764, abs=3e-5)
        model.theta.copy_(least)
        assert float(problem.loss(model, problem.test)) == pytest.approx(87.04601, abs=2e-5)


def test_rows_may_come_without_their_products():
    problem = load("quadratic-deep")
    model = problem.make_model()
    with torch.no_grad():
        torch.testing.assert_close(model(problem.test[0]), model(*problem.test))
        assert float(problem.loss(model, problem.test[:1])) == pytest.approx(353.446764, abs=3e-5)


def test_what_is_drawn_is_what_is_said():
    problem = load("quadratic-deep")
    h = hessian()
    eigenvalues = torch.linalg.eigvalsh(h)
    assert torch.equal((eigenvalues > 1).long(), torch.tensor([0] * 90 + [1] * 10))
    assert 0 < eigenvalues[0] < eigenvalues[89] < 1 < 30 < eigenvalues[90] < eigenvalues[-1] < 60
    rotation = random_rotation(5, np.random.RandomState(1))
    assert rotation @ rotation.T == pytest.approx(np.eye(5), abs=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    splits = [problem.train[0], problem.validation[0], problem.test[0]]
    assert [x.shape for x in splits] == [(1000, 100), (1000, 100), (896, 100)]
    assert all(float(x.std()) == pytest.approx(0.6, abs=0.01) for x in splits)
    assert not torch.equal(splits[0], splits[1])
    assert all(x.dtype == torch.float32 for x in (*splits, *problem.make_model().parameters()))
    assert list(problem.make_model().state_dict()) == ["theta"]


def test_a_study_takes_the_problems_own_length_and_batches_and_meets_the_published_sweep(tmp_path):
    rates = list(PUBLISHED_TEST_LOSSES_OF_SGD)
    results = {
        runner: fl.compare(
            "quadratic-deep",
            ["sgd"],
            protocol="sweep",
            lrs=rates,
            seeds=2,
            order="fixed",
            runner=runner,
            threads=1,
            progress=False,
            store=tmp_path / runner,
        )
        for runner in ("loop", "population")
    }
    spec = results["loop"].specification
    assert (spec.epochs, spec.batch_sizes, spec.problems[0].drop_last) == (100, (128,), True)
    for alone, together in zip(results["loop"].records, results["population"].records, strict=True):
        assert alone.key == together.key
        assert alone.curve["step"][-1] == 7 * 100
        assert alone.curve["samples"][-1] == 896 * 100
        published = PUBLISHED_TEST_LOSSES_OF_SGD[alone["hyperparameters"]["lr"]]
        # Which 104 rows an order leaves out moves the minimum by some tenths of a percent.
        assert alone.curve["test_loss"][-1] == pytest.approx(published, rel=5e-3)
        for name in ("train_loss", "validation_loss", "test_loss"):
            assert together.curve[name] == pytest.approx(alone.curve[name], rel=1e-5)
    with pytest.raises(InputError, match="quadratic-deep brings validation data of its own"):
        fl.compare("quadratic-deep", ["sgd"], protocol="sweep", validation=0.2, progress=False, store=tmp_path / "v")
