"""What tells functions and objects apart, and what does not."""

import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fallline.errors import InputError
from fallline.study.fingerprint import fingerprint
from tests.study.studies import compare, line

RATE = 1.0
seen = 0


def absolute(output, target):
    return (output - target).abs().mean()


def squared(output, target):
    return RATE * (output - target).square().mean()


def weighted(weight):
    return lambda output, target: weight * (output - target).square().mean()


def helped(helper):
    return lambda output, target: helper(output, target)


def counted():
    calls = 0
    listed = []

    def loss(output, target):
        global seen
        nonlocal calls
        calls += 1
        seen += 1
        listed.append(calls)
        return (output - target).square().mean()

    return loss


class Loss:
    """Counts its calls and knows when it was made."""

    def __init__(self, weight):
        self.weight = weight
        self.calls = 0
        self.made = time.perf_counter()

    def __call__(self, output, target):
        self.calls += 1
        return self.mean(output, target)

    def mean(self, output, target):
        return self.weight * (output - target).square().mean()


class Further(Loss):
    pass


class Net(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.activation = activation
        self.layer = nn.Linear(1, 1)
        with torch.no_grad():
            self.layer.weight.fill_(1.0)
            self.layer.bias.fill_(1.0)

    def forward(self, x):
        return self.activation(self.layer(x))


def recursive(output, target):
    return other(output, target)


def other(output, target):
    return recursive(output, target)


DIFFERENT = [
    F.cross_entropy,
    F.mse_loss,
    partial(F.cross_entropy, label_smoothing=0.1),
    partial(F.cross_entropy, label_smoothing=0.2),
    nn.CrossEntropyLoss(),
    nn.CrossEntropyLoss(label_smoothing=0.1),
    nn.CrossEntropyLoss(weight=torch.ones(3)),
    nn.CrossEntropyLoss(weight=torch.zeros(3)),
    absolute,
    squared,
    weighted(1.0),
    weighted(2.0),
    weighted(torch.ones(1)),
    weighted(torch.zeros(1)),
    weighted(np.ones(1)),
    weighted((1.0, 2.0)),
    helped(absolute),
    helped(squared),
    Loss(1.0),
    Loss(2.0),
    Further(1.0),
    Loss(1.0).mean,
    recursive,
    Net(F.relu),
    Net(torch.tanh),
    Net(nn.Tanh()),
    lambda: nn.Tanh(),
    lambda: nn.ReLU(),
    Net,
    Loss,
    torch.optim.Adam,
]


def test_different_things_have_different_fingerprints_and_the_same_one_its_own():
    found = [fingerprint(thing) for thing in DIFFERENT]
    assert len(set(found)) == len(found)
    assert [fingerprint(thing) for thing in DIFFERENT] == found


@pytest.mark.parametrize("loss", [counted(), Loss(1.0)])
def test_what_changes_as_it_runs_is_left_out(loss):
    before = fingerprint(loss)
    loss(torch.ones(1), torch.zeros(1))
    assert fingerprint(loss) == before


def test_numbers_that_a_function_reads_outside_belong_to_it(monkeypatch):
    before = fingerprint(squared)
    monkeypatch.setattr(sys.modules[__name__], "RATE", 2.0)
    assert fingerprint(squared) != before


def test_another_process_finds_the_same():
    told = "import tests.study.test_fingerprint as t; print(*map(t.fingerprint, t.DIFFERENT))"
    found = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout
    assert found.split() == [fingerprint(thing) for thing in DIFFERENT]


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"loss": squared}, "the loss of line"),
        ({"metrics": {"off_error": squared}}, "the metric off_error of line"),
        ({"model": lambda: nn.Sequential(nn.Linear(1, 1), nn.Tanh())}, "the model of line"),
    ],
)
def test_a_study_does_not_go_on_with_another_function_of_the_same_file(tmp_path, changed, what):
    given = {"loss": absolute, "metrics": {"off_error": absolute}, "model": lambda: nn.Sequential(nn.Linear(1, 1))}
    compare(tmp_path, line(**given))
    compare(tmp_path, line(**given))
    with pytest.raises(InputError, match=f"cannot go on: {what} changed since it began"):
        compare(tmp_path, line(**{**given, **changed}))
