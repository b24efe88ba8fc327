"""Recordings that cannot be made are refused before anything is trained."""

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

import fallline as fl
from fallline.errors import InputError


def rows(count):
    x = torch.linspace(-1, 1, 2 * count).view(count, 2)
    return x, x[:, :1] ** 2


def normalised():
    return nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


@pytest.mark.parametrize(
    ("make", "count", "message"),
    [
        (lambda: nn.Linear(2, 1), 6, "'all'.* 6 training rows.*8 parts.*Give more training rows"),
        (normalised, 10, "'all'.* 10 training rows.*more than 1 value per channel"),
    ],
)
def test_what_cannot_be_measured_is_said_before_any_training(make, count, message, tmp_path):
    problem = fl.Problem(model=make, loss=mse_loss, train=rows(count), validation=0.0, name="few")
    given = {"protocol": "sweep", "lrs": [0.1], "epochs": 1, "store": tmp_path / "s", "progress": False}
    with pytest.raises(InputError, match=message):
        fl.compare(problem, "sgd", diagnostics="all", **given)
    assert not (tmp_path / "s").exists()
    fl.compare(problem, "sgd", diagnostics="layers", **given)


def test_the_rehearsal_leaves_no_trace_in_the_curves(tmp_path):
    problem = fl.Problem(model=normalised, loss=mse_loss, train=rows(16), validation=0.0, name="enough")
    curves = [
        fl.compare(
            problem, "sgd", lrs=[0.1], epochs=2, seeds=1, batch_sizes=[8], diagnostics=depth, store=tmp_path / depth,
            protocol="sweep", progress=False, threads=1,
        ).records[0].curve["train_loss"]
        for depth in ("none", "all")
    ]  # fmt: skip
    assert curves[0] == curves[1]
