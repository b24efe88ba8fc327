"""Small trainings that the tests of this folder run, and how two of them are compared."""

import torch
from torch import nn

import fallline as fl
from fallline.training.checkpoint import read_checkpoint
from tests.training.test_checkpoint import bits

X = torch.linspace(-1, 1, 60)[:, None]
LABELS = (X[:, 0] > 0).long() + (X[:, 0] > 0.5).long()


def problem(**changes):
    def model(dropout=0.2):
        return nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 3))

    given = {
        "model": model,
        "loss": nn.functional.cross_entropy,
        "train": (X, LABELS),
        "test": (X[::2], LABELS[::2]),
        "metrics": {"accuracy": fl.problems.accuracy},
        "factors": {"dropout": 0.2},
        "name": "steps",
    }
    return fl.Problem(**{**given, **changes})


def fit(store, optimizer="adam:lr=0.05", of=None, **changes):
    given = {"epochs": 4, "batch_size": 10, "threads": 1, "progress": False, "store": store}
    return fl.fit(of or problem(), optimizer, **{**given, **changes})


def left(store):
    """All that a training left, seconds apart: curve, weights, optimizer state, outcome."""
    last = read_checkpoint(store / "last.safetensors")
    weights = store / "weights.safetensors"
    return bits(
        {
            "last": {**last, "training": {**last["training"], "seconds": 0}},
            "best": read_checkpoint(store / "best.safetensors"),
            "weights": read_checkpoint(weights) if weights.is_file() else None,
        }
    )
