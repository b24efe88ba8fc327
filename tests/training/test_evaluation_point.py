"""Trainings of rules with an evaluation point: evaluated, stopped and left there, and trained on as without."""

import math
from contextlib import nullcontext

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import mse_loss

import fallline as fl
from fallline.optim import Optimizer
from fallline.problems import Problem, prepare
from fallline.problems.models import mlp
from fallline.rules import SGD, Adam
from fallline.training import Budget, Ending, Member, train_cohort
from fallline.training.evaluate import evaluate
from fallline.training.member import Algorithm
from fallline.training.training import Training
from fallline.wrappers import Average, Lookahead
from tests.double import double_precision as double_precision

CPU = torch.device("cpu")
DECAY = 0.5


def line():
    """w goes from 0 towards 2 by 2 (1 - 0.8^t); validation data lie at w = 1."""
    ones = torch.ones(4, 1)

    def model():
        made = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(made.weight)
        return made

    return Problem(model, mse_loss, train=(ones, 2 * ones), validation=(ones, ones), test=(ones, ones), name="line")


def member(rule: Algorithm, **factors):
    return Member("line", "x", rule, rule.hyperparameters(), factors, batch_size=2)


def train(rule, epochs=4, **factors):
    prepared = prepare(line(), 0, CPU)
    return train_cohort([member(rule, **factors)], prepared, Budget(epochs=epochs), 0)[0], prepared


def averages(steps):
    """The average of w after each step, by its definition."""
    w = [2 * (1 - 0.8**t) for t in range(1, steps + 1)]
    found = [0.0]
    for n in range(1, steps + 1):
        weights = [DECAY ** (n - i) for i in range(1, n + 1)]
        found.append(sum(a * b for a, b in zip(weights, w, strict=False)) / sum(weights))
    return found


def test_losses_are_those_of_the_average_and_the_model_is_left_there():
    trained, prepared = train(Average(SGD(lr=0.1), decay=DECAY))
    expected = averages(8)
    assert trained.curve["step"] == list(range(9))
    assert trained.curve["train_loss"] == pytest.approx([(2 - w) ** 2 for w in expected], rel=1e-12)
    assert trained.weights["weight"].item() == pytest.approx(expected[8], rel=1e-12)
    model = nn.Linear(1, 1, bias=False)
    model.load_state_dict(trained.weights)
    assert evaluate(model, prepared.objective, prepared.test)["loss"] == trained.curve["test_loss"][-1]
    # The loss of a batch is that of the weights which are trained.
    assert trained.curve["batch_loss"][1:] == pytest.approx([(2 * 0.8**t) ** 2 for t in range(8)], rel=1e-12)


def test_lookahead_is_evaluated_at_its_slow_weights():
    trained, _ = train(Lookahead(SGD(lr=0.1), k=3, alpha=0.0))
    assert trained.curve["train_loss"] == pytest.approx([4.0] * 9, rel=1e-15)
    assert trained.weights["weight"].item() == pytest.approx(0.0, abs=1e-15)


def test_early_stopping_watches_and_restores_the_average():
    trained, _ = train(Average(SGD(lr=0.1), decay=DECAY), epochs=10, patience=2)
    losses = [(1 - w) ** 2 for w in averages(20)]
    best = losses.index(min(losses))
    # The weights themselves are nearest to 1 a step earlier.
    assert best == 4
    outcome = trained.outcome
    assert (outcome.ending, outcome.step, outcome.restored) == (Ending.STOPPED, best + 4, best)
    assert trained.weights["weight"].item() == pytest.approx(averages(best)[best], rel=1e-12)


def test_weights_that_are_not_finite_diverge_before_their_average_shows_it():
    trained, _ = train(Lookahead(SGD(lr=1e200), k=50))
    assert trained.outcome.diverged
    assert math.isfinite(trained.curve["train_loss"][1])


def network(batch_norm):
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(4))
    return prepare(
        Problem(
            lambda: mlp((3, 5, 1), batch_norm=batch_norm, dropout=0.2).double(),
            mse_loss,
            train=(x, x[:, :1] * x[:, 1:2]),
            name="network",
        ),
        0,
        CPU,
        validation=0.25,
    )


def of_network(rule):
    return Member("network", "x", rule, rule.hyperparameters(), batch_size=8)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_evaluating_changes_no_bit_of_the_training(batch_norm, monkeypatch):
    problem = network(batch_norm)

    def curve():
        one = of_network(Average(Adam(lr=0.05), decay=0.9))
        return train_cohort([one], problem, Budget(epochs=3), 0)[0].curve

    averaged = curve()
    monkeypatch.setattr("fallline.training.training.lent_for_evaluation", lambda *args: nullcontext())
    plain = curve()
    assert averaged["batch_loss"][1:] == plain["batch_loss"][1:]
    assert averaged["train_loss"][0] == plain["train_loss"][0]
    assert averaged["train_loss"][-1] != plain["train_loss"][-1]


def test_statistics_belong_to_the_weights_that_are_evaluated():
    problem = network(batch_norm=True)
    trained = train_cohort([of_network(Average(Adam(lr=0.05), decay=0.9))], problem, Budget(epochs=3), 0)[0]
    model = mlp((3, 5, 1), batch_norm=True, dropout=0.2).double()
    model.load_state_dict(trained.weights)
    for split in ("train", "validation"):
        found = evaluate(model, problem.objective, problem.evaluated[split])["loss"]
        assert found == trained.curve[f"{split}_loss"][-1]
    # The first linear layer's outputs have these moments on all 30 training rows, read as one batch.
    first = model[0]
    (x, _), *rest = problem.train_part.in_order()
    norm = next(m for m in model if isinstance(m, nn.BatchNorm1d))
    assert not rest
    assert torch.allclose(norm.running_mean, first(x).mean(0))
    assert torch.allclose(norm.running_var, first(x).var(0))


def test_training_goes_on_from_a_snapshot_bit_for_bit(tmp_path):
    given = {"epochs": 3, "seed": 1, "threads": 1, "progress": False, "batch_size": 16}
    problem = fl.Problem(
        lambda: mlp((1, 4, 1), batch_norm=True),
        mse_loss,
        train=(torch.linspace(-1, 1, 64)[:, None], torch.linspace(0, 1, 64)[:, None]),
        name="curve",
    )
    rule = Average(Adam(lr=0.02), decay=0.9)
    whole = fl.fit(problem, rule, store=tmp_path / "whole", checkpoint_every=100, **given)

    class Cut(Exception):
        pass

    step, seen = Training.step, []

    def cut(self, *args, **kwargs):
        seen.append(1)
        # The rehearsal takes one step.
        if len(seen) == 8:
            raise Cut
        return step(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "step", cut)
        with pytest.raises(Cut):
            fl.fit(problem, rule, store=tmp_path / "cut", checkpoint_every=1, **given)
    resumed = fl.fit(problem, rule, store=tmp_path / "cut", checkpoint_every=1, **given)
    assert {n: v[1:] for n, v in whole.curve.columns.items()} == {n: v[1:] for n, v in resumed.curve.columns.items()}
    assert all(torch.equal(x, resumed.model.state_dict()[n]) for n, x in whole.model.state_dict().items())


def test_files_of_a_fit_hold_the_weights_that_were_evaluated(tmp_path):
    fitted = fl.fit(line(), Average(SGD(lr=0.1), decay=DECAY), epochs=4, threads=1, progress=False, store=tmp_path,
                    batch_size=2)  # fmt: skip
    best = averages(8)
    assert load_file(fitted.folder / "weights.safetensors")["weight"].item() == pytest.approx(best[8], rel=1e-6)
    assert load_file(fitted.folder / "best.safetensors")["weight"].item() == pytest.approx(best[4], rel=1e-6)
    assert fitted.model.weight.item() == pytest.approx(best[8], rel=1e-6)


def test_a_study_compares_and_keeps_the_average(tmp_path):
    results = fl.compare(
        line(), [Average(SGD(lr=0.1), decay=DECAY), SGD(lr=0.1)], epochs=4, seeds=1, batch_sizes=[2], threads=1,
        protocol="sweep", progress=False, store=tmp_path,
    )  # fmt: skip
    averaged, plain = results.records
    assert averaged.curve["train_loss"] == pytest.approx([(2 - w) ** 2 for w in averages(8)], rel=1e-6)
    assert plain.curve["train_loss"] == pytest.approx([(2 * 0.8**t) ** 2 for t in range(9)], rel=1e-6)


def test_the_treatment_is_the_wrapper():
    by_factor, _ = train(SGD(lr=0.1), average=DECAY)
    by_hand, _ = train(Average(SGD(lr=0.1), decay=DECAY))
    off, _ = train(SGD(lr=0.1), average=None)
    assert by_factor.curve.columns.keys() == by_hand.curve.columns.keys()
    assert by_factor.curve["train_loss"] == by_hand.curve["train_loss"]
    assert off.curve["train_loss"] == pytest.approx([(2 * 0.8**t) ** 2 for t in range(9)], rel=1e-12)
    assert isinstance(member(SGD()).make_optimizer(nn.Linear(1, 1)), Optimizer)
