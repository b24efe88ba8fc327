"""A problem whose evaluations see the first batch of each split alone."""

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

import fallline as fl
from fallline import cohorts
from fallline.cohorts import trial
from fallline.problems import prepare
from fallline.rules import SGD
from fallline.training import Member


@pytest.fixture
def problem():
    def data(rows):
        return torch.zeros(rows, 1), torch.zeros(rows, 1)

    given = fl.Problem(
        lambda: nn.Linear(1, 1), mse_loss, data(3000), validation=data(100), test=data(2048), name="line"
    )
    return prepare(given, 0, torch.device("cpu"))


def test_first_batches_and_how_many_times_as_many_rows_there_are(problem):
    part, times = problem.sampled()
    sizes = {name: [len(x) for x, _ in split.in_order()] for name, split in part.evaluated.items()}
    assert sizes == {"train": [1024], "validation": [100], "test": [1024]}
    assert times == pytest.approx((3000 + 100 + 2048) / (1024 + 100 + 1024))
    assert part.train is problem.train


def test_a_trial_evaluates_first_batches_and_reckons_all(problem, monkeypatch):
    monkeypatch.setattr(trial, "seconds_of_evaluation", lambda evaluate, device: 2.0)
    monkeypatch.setattr(trial, "seconds_of", lambda step, device: 0.0)
    found = cohorts.tried([Member("line", "sgd", SGD(), {"lr": 0.1}, batch_size=16)], problem, 0)
    assert found.evaluating == pytest.approx(2.0 * problem.sampled()[1])
