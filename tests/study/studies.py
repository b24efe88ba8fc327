"""Small studies that the tests of this folder run."""

import torch
from torch import nn
from torch.nn.functional import mse_loss

import fallline as fl

X = torch.linspace(-1, 1, 40)[:, None]


def line(**changes):
    given = {"model": lambda: nn.Linear(1, 1), "loss": mse_loss, "train": (X, 2 * X + 1), "name": "line"}
    return fl.Problem(**{**given, **changes})


def compare(tmp_path, problem=None, optimizers=("sgd", "adam"), **changes):
    given = {
        "protocol": "sweep",
        "lrs": [0.01, 0.1],
        "epochs": 2,
        "seeds": 2,
        "threads": 1,
        "progress": False,
        "store": tmp_path / "s",
    }
    return fl.compare(problem or line(), optimizers, **{**given, **changes})


def full(tmp_path, optimizers=("sgd", "adam"), problem=None, **changes):
    return compare(tmp_path, problem, optimizers, **{"protocol": "full", "final_seeds": 3, **changes})


def curves(results):
    return {record.key: record.curve.columns for record in results.records}


def same(a, b):
    """Equal bits, NaN included."""
    return {k: {n: [x.hex() for x in map(float, v)] for n, v in c.items()} for k, c in a.items()} == {
        k: {n: [x.hex() for x in map(float, v)] for n, v in c.items()} for k, c in b.items()
    }
