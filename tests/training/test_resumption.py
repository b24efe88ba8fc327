import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from fallline.problems import Problem, prepare
from fallline.randomness import forked
from fallline.rules import Adam, Momentum
from fallline.schedules import schedule
from fallline.training import Budget, Member
from fallline.training.checkpoint import read_checkpoint, write_checkpoint
from fallline.training.cohort import advance
from fallline.training.resumption import go_on, snapshot
from fallline.training.training import Training
from tests.training.test_checkpoint import bits

X = torch.linspace(-1, 1, 40)[:, None]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


BUDGET = Budget(epochs=4, losses_every=3)


class Wide(torch.optim.Optimizer):
    """Momentum whose memory is kept in float64 beside float32 parameters."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["mean"] = 0.9 * state.get("mean", torch.zeros_like(p, dtype=torch.float64)) + p.grad
                p.sub_((group["lr"] * state["mean"]).float())


class Drifting(nn.Module):
    """A buffer that is not persistent, and an extra state that is no tensor, both of which training changes."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 1))
        self.register_buffer("seen", torch.zeros(()), persistent=False)
        self.calls = 0

    def forward(self, x):
        if self.training:
            self.seen += x.mean()
            self.calls += 1
        drawn = random.random() + np.random.rand() + torch.rand(()).item()
        return self.layers(x) + 0.01 * (self.seen + self.calls + drawn)

    def get_extra_state(self):
        return {"calls": self.calls}

    def set_extra_state(self, state):
        self.calls = state["calls"]


def made(algorithm, **changes):
    problem = prepare(Problem(Drifting, mse_loss, (X, X**3), name="p"), 0, torch.device("cpu"))
    given = {"hyperparameters": {}, "batch_size": 10, "schedule": schedule("plateau:patience=3")}
    if not isinstance(algorithm, type):
        given["hyperparameters"] = algorithm.hyperparameters()
    member = Member("p", "o", algorithm, **{**given, **changes})
    return Training(member, problem, 3, BUDGET.total_steps(problem.train.steps(10)), BUDGET.losses_every)


def finished(training, after=lambda done, evaluated: None):
    with forked():
        if not training.curve.columns:
            training.evaluate()
        advance([training], BUDGET, after)
        training.finish()
        return bits({**snapshot(training), "seconds": 0})


CASES = {
    "adam": (Adam(lr=0.1), {}),
    "treated": (Momentum(lr=0.05), {"factors": {"gradient_noise": 0.1, "clip_norm": 1.0, "l1": 1e-3, "patience": 1.0}}),
    "lbfgs": (torch.optim.LBFGS, {"hyperparameters": {"lr": 0.3, "max_iter": 3, "line_search_fn": "strong_wolfe"}}),
    "nadam": (torch.optim.NAdam, {}),
    "adagrad": (torch.optim.Adagrad, {"hyperparameters": {"lr": 0.1}}),
    "capturable": (torch.optim.Adam, {"hyperparameters": {"lr": torch.tensor(0.01), "amsgrad": True}}),
    "rprop": (torch.optim.Rprop, {}),
    "asgd": (torch.optim.ASGD, {}),
    "wide": (Wide, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_training_goes_on_bit_for_bit_from_any_step(case, tmp_path):
    algorithm, changes = CASES[case]
    points = []

    def keep(done, evaluated):
        points.append(tmp_path / f"{done}")
        write_checkpoint(points[-1], snapshot(whole))

    whole = made(algorithm, **changes)
    expected = finished(whole, keep)
    assert list(whole.curve.losses) == list(range(3, whole.done + 1, 3))
    assert len(points) == 16 or case == "treated"
    for point in points[:: 1 if case in ("adam", "treated") else 5]:
        other = made(algorithm, **changes)
        go_on(other, read_checkpoint(point))
        assert finished(other) == expected


def test_counts_stay_whole_numbers(tmp_path):
    whole = made(Adam())
    finished(whole)
    write_checkpoint(tmp_path / "c", snapshot(whole))
    other = made(Adam())
    go_on(other, read_checkpoint(tmp_path / "c"))
    assert all(type(value) is int for name in ("step", "samples") for value in other.curve[name])
    assert other.outcome == whole.outcome
