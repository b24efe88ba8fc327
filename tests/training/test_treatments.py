"""Treatments: each does what its definition says, in the loop and in a population alike."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from fallline.errors import InputError
from fallline.optim import every_parameter
from fallline.problems import Problem, prepare
from fallline.problems.models import mlp
from fallline.rules import SGD, Adam
from fallline.schedules import Cosine
from fallline.training import Budget, Member, train_cohort
from fallline.training.treatments import TREATMENTS, active, penalties, treated
from fallline.wrappers import L1, L2, Clip, DecoupledDecay, Noise
from tests.double import double_precision as double_precision
from tests.training.eager_population import train_together

CPU = torch.device("cpu")
X = torch.randn(24, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
LABELS = (X[:, 0] + X[:, 1] ** 2 > 0.5).long()


def classes(**factors):
    problem = Problem(
        model=lambda dropout=0.0, batch_norm=False: mlp((3, 6, 2), dropout=dropout, batch_norm=batch_norm).double(),
        loss=cross_entropy,
        train=(X, LABELS),
        factors={"dropout": 0.0, "batch_norm": False},
        name="classes",
    )
    return prepare(problem, 0, CPU, validation=0)


def member(rule, **factors):
    return Member(
        "classes",
        "x",
        rule,
        rule.hyperparameters(),
        factors={"dropout": 0.0, "batch_norm": False, **factors},
        batch_size=8,
    )


CASES = {
    "l1": [{"l1": 0.1}, {"l1": 0.3}],
    "l2": [{"l2": 0.1}, {"l2": 0.3}],
    "decoupled_decay": [{"decoupled_decay": 0.1}, {"decoupled_decay": 0.3}],
    "gradient_noise": [{"gradient_noise": 0.1}, {"gradient_noise": 0.3}],
    "clip_value": [{"clip_value": 0.01}, {"clip_value": 0.03}],
    "clip_norm": [{"clip_norm": 0.05}, {"clip_norm": 0.1}],
    "clip_global_norm": [{"clip_global_norm": 0.05}, {"clip_global_norm": 0.1}],
    "label_smoothing": [{"label_smoothing": 0.1}] * 2,
    "dropout": [{"dropout": 0.5}] * 2,
    "batch_norm": [{"batch_norm": True}] * 2,
    "all": [
        {"l1": a, "l2": 0.01, "clip_value": 0.5, "clip_global_norm": b, "gradient_noise": 0.1, "decoupled_decay": 0.1,
         "dropout": 0.3, "batch_norm": True, "label_smoothing": 0.2}
        for a, b in ((0.01, 0.2), (0.02, 0.1))
    ],
}  # fmt: skip


@pytest.mark.parametrize("base", [SGD(), Adam()], ids=["sgd", "adam"])
@pytest.mark.parametrize("case", CASES)
def test_a_treatment_is_the_same_in_the_loop_and_in_a_population(case, base):
    members = [
        member(base.replace({"lr": rate}), **factors) for rate, factors in zip((0.05, 0.02), CASES[case], strict=True)
    ]
    problem = classes()
    together = train_together(members, problem, steps=7)
    plain = train_cohort([member(base.replace({"lr": 0.05}))], problem, Budget(steps=7), 0)[0]
    for i, one in enumerate(members):
        alone = train_cohort([one], problem, Budget(steps=7), 0)[0]
        assert together.keys() == alone.weights.keys()
        for name, weights in alone.weights.items():
            if name in ("0.bias", "1.running_mean") and one.factors["batch_norm"]:
                # BatchNorm takes the bias away again: its gradient is rounding alone, which Adam divides by its size.
                continue
            assert torch.allclose(together[name][i].to(weights), weights, rtol=1e-10, atol=1e-13), name
        if i == 0:
            assert any(
                not torch.equal(weights, plain.weights.get(name))
                for name, weights in alone.weights.items()
                if name in plain.weights
            )


def test_gradient_noise_is_the_same_whatever_is_penalised():
    ends = [
        train_cohort([member(SGD(lr=0.05), gradient_noise=0.5, **penalty)], classes(), Budget(steps=5), 0)[0].weights
        for penalty in ({}, {"l2": 1e-13}, {"l1": 1e-13})
    ]
    for name, weights in ends[0].items():
        assert all(torch.allclose(weights, other[name], rtol=1e-9, atol=1e-12) for other in ends[1:]), name


def test_treatments_wrap_in_their_order():
    factors = {"l1": 0.1, "l2": 0.2, "decoupled_decay": 0.3, "gradient_noise": 0.4, "clip_value": 1.0, "clip_norm": 2.0}
    assert treated(SGD(lr=0.5), factors) == L1(
        Clip(Noise(L2(DecoupledDecay(SGD(lr=0.5), 0.3), 0.2), 0.4), value=1.0, norm=2.0), 0.1
    )
    assert penalties(factors) == ["l1.strength", "l2.weight_decay", "decoupled.weight_decay"]


def test_what_is_off_changes_nothing():
    off = {name: treatment.off for name, treatment in TREATMENTS.items()} | {"width": 8, "clip_norm": None}
    assert treated(SGD(lr=0.5), off) == SGD(lr=0.5)
    assert active(off) == {}
    assert penalties(off) == []


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [("l1", "1e-4", 1e-4), ("l1", "none", 0.0), ("l1", 0, 0.0), ("patience", "none", None), ("clip_norm", 2, 2.0)],
)
def test_values_are_read(name, given, kept):
    assert TREATMENTS[name].checked(name, given) == kept


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("l1", -1, "of at least 0"), ("l2", "x", "of at least 0"), ("l1", math.inf, "of at least 0"),
        ("average", 1.0, "above 0 and below 1, or none"), ("average", 0, "above 0 and below 1, or none"),
        ("clip_norm", 0, "above 0, or none"), ("patience", True, "above 0, or none"), ("l2", math.nan, "of at least 0"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(name, given, expected):
    with pytest.raises(InputError, match=f"Factor {name} must be a number {expected}"):
        TREATMENTS[name].checked(name, given)


def flat(**changes):
    """y = w x + b where the data's gradient is 0: x is 0 and so is y - b."""

    def model():
        made = nn.Linear(1, 1)
        nn.init.constant_(made.weight, 1.0)
        nn.init.constant_(made.bias, 0.0)
        return made

    given = {"model": model, "loss": mse_loss, "train": (torch.zeros(4, 1), torch.zeros(4, 1)), "name": "flat"}
    return prepare(Problem(**{**given, **changes}), 0, CPU, validation=0)


@pytest.mark.parametrize(
    ("factors", "weight"),
    [
        # lr 0.5, three steps, no slope of the data: w -> w - 0.5 * 0.2 * w each, or w -> w - 0.5 * 0.4.
        ({"l2": 0.2}, 0.9**3),
        ({"decoupled_decay": 0.2}, 0.9**3),
        ({"l1": 0.4}, 1 - 3 * 0.2),
        ({"l1": 0.8}, 0.0),
    ],
)
def test_penalties_shrink_the_weight_and_leave_the_bias(factors, weight):
    one = Member("flat", "sgd", SGD(), {"lr": 0.5}, factors=factors, batch_size=4)
    weights = train_cohort([one], flat(), Budget(steps=3), 0)[0].weights
    assert weights["weight"].item() == pytest.approx(weight, rel=1e-14)
    assert weights["bias"].item() == 0.0


def test_another_group_rule_penalises_the_bias_too():
    def model():
        made = nn.Linear(1, 1)
        nn.init.constant_(made.bias, 0.5)
        return made

    problem = flat(model=model, train=(torch.zeros(4, 1), torch.full((4, 1), 0.5)))
    kept, shrunk = (
        train_cohort(
            [Member("flat", "sgd", SGD(), {"lr": 0.5}, {"l1": 0.4}, batch_size=4, **which)], problem, Budget(steps=1), 0
        )
        for which in ({}, {"penalised": every_parameter})
    )
    assert kept[0].weights["bias"].item() == 0.5
    assert shrunk[0].weights["bias"].item() == pytest.approx(0.3, rel=1e-14)


def test_label_smoothing_is_of_the_training_alone():
    problem = classes()
    smoothed = train_cohort([member(SGD(lr=1e-9), label_smoothing=0.5)], problem, Budget(steps=3), 0)[0]
    plain = train_cohort([member(SGD(lr=1e-9))], problem, Budget(steps=3), 0)[0]
    assert smoothed.curve["train_loss"] == pytest.approx(plain.curve["train_loss"], rel=1e-6)
    assert smoothed.curve["batch_loss"][-1] != pytest.approx(plain.curve["batch_loss"][-1], rel=1e-3)


def test_a_schedule_multiplies_the_rate_of_every_group():
    # Gradient 2 w x^2 with x = 1 and y = 0: w is multiplied by 1 - 2 lr(step); weights and biases are two groups.
    problem = flat(model=lambda: nn.Linear(1, 1, bias=False), train=(torch.ones(4, 1), torch.zeros(4, 1)))
    one = Member("flat", "sgd", SGD(), {"lr": 0.1}, {"l2": 1e-9}, schedule=Cosine(), batch_size=4)
    trained = train_cohort([one], problem, Budget(steps=4), 0)[0]
    start = math.sqrt(trained.curve["train_loss"][0])
    expected = start * math.prod(1 - 0.2 * Cosine()(step, 4) for step in range(4))
    assert abs(trained.weights["weight"].item()) == pytest.approx(expected, rel=1e-7)
