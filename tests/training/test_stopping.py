"""Early stopping: when it ends a training, and what it puts back."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from fallline.problems import Problem, prepare
from fallline.rules import SGD
from fallline.training import Budget, Ending, Member, train_cohort
from fallline.training.evaluate import evaluate
from fallline.training.stopping import EarlyStopping

CPU = torch.device("cpu")
ONE = torch.ones(4, 1)


def stopped(patience, epochs=10, lr=0.1):
    """Training goes from w = 0 towards 2, validation data lie at w = 1: its loss falls, and rises again."""

    def model():
        made = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(made.weight)
        return made

    problem = Problem(model, mse_loss, train=(ONE, 2 * ONE), validation=(ONE, ONE), test=(ONE, ONE), name="two minds")
    prepared = prepare(problem, 0, CPU)
    one = Member("two minds", "sgd", SGD(), {"lr": lr}, {"patience": patience}, batch_size=2)
    return train_cohort([one], prepared, Budget(epochs=epochs), 0)[0], prepared


def weight_after(steps, lr=0.1):
    return 2 * (1 - (1 - 2 * lr) ** steps)


def test_it_stops_when_the_best_lies_the_patience_back_and_restores_it():
    trained, prepared = stopped(patience=2)
    # Two steps an epoch; w = 2 (1 - 0.8^t) is nearest to 1 at t = 3; 2 epochs are 4 steps.
    assert (trained.outcome.ending, trained.outcome.step, trained.outcome.restored) == (Ending.STOPPED, 7, 3)
    assert trained.curve["step"] == list(range(8))
    assert trained.weights["weight"].item() == pytest.approx(weight_after(3), rel=1e-6)
    assert "step 3" in trained.outcome.cause
    model = nn.Linear(1, 1, bias=False)
    model.load_state_dict(trained.weights)
    assert evaluate(model, prepared.objective, prepared.test)["loss"] == pytest.approx(trained.curve["test_loss"][3])


def test_the_best_weights_are_restored_where_the_budget_ends_first():
    trained, _ = stopped(patience=100, epochs=4)
    assert (trained.outcome.ending, trained.outcome.step, trained.outcome.restored) == (Ending.FINISHED, 8, 3)
    assert trained.weights["weight"].item() == pytest.approx(weight_after(3), rel=1e-6)


def test_without_patience_the_last_weights_stand():
    trained, _ = stopped(patience=None, epochs=4)
    assert (trained.outcome.step, trained.outcome.restored) == (8, None)
    assert trained.weights["weight"].item() == pytest.approx(weight_after(8), rel=1e-6)


def test_a_diverged_training_is_not_rescued():
    trained, _ = stopped(patience=5, lr=3.0)
    assert trained.outcome.diverged
    assert trained.outcome.restored is None


def test_buffers_are_restored_too():
    model = nn.BatchNorm1d(1)
    stopping = EarlyStopping(patience=3)
    assert stopping.watch(0, 1.0, model) is None
    model(torch.tensor([[1.0], [3.0]]))
    assert stopping.watch(1, 2.0, model) is None
    assert stopping.watch(2, math.nan, model) is None
    assert stopping.watch(3, 1.0, model) is not None
    assert stopping.restore(model) == 0
    assert model.running_mean.item() == 0
    assert model.num_batches_tracked.item() == 0


def test_a_first_loss_that_is_nan_is_not_the_best_for_ever():
    model = nn.Linear(1, 1)
    stopping = EarlyStopping(patience=2)
    causes = [stopping.watch(step, loss, model) for step, loss in enumerate([math.nan, math.nan, 3.0, 2.0, 2.5])]
    assert causes == [None] * 5
    assert (stopping.step, stopping.loss) == (3, 2.0)


def test_buffers_that_the_model_does_not_save_are_restored():
    model = nn.Linear(1, 1)
    model.register_buffer("seen", torch.zeros(()), persistent=False)
    stopping = EarlyStopping(patience=1)
    stopping.watch(0, 1.0, model)
    model.seen += 5
    stopping.watch(1, 2.0, model)
    stopping.restore(model)
    assert model.seen.item() == 0
