import math
import time

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

from fallline.errors import InputError
from fallline.problems import Problem, initial_model, prepare
from fallline.problems.sources import permutation
from fallline.rules import SGD, Adam
from fallline.training import Budget, Ending, Member, train_cohort

CPU = torch.device("cpu")
X = torch.linspace(-1, 1, 20)[:, None]


def line(**changes):
    given = {"model": lambda: nn.Linear(1, 1), "loss": mse_loss, "train": (X, 2 * X + 1), "name": "line"}
    return prepare(Problem(**{**given, **changes}), 0, CPU, validation=changes.pop("held_out", None))


def member(rule=SGD(lr=0.1), **changes):
    given = {"problem": "line", "optimizer": "sgd", "batch_size": 4}
    return Member(algorithm=rule, hyperparameters=rule.hyperparameters(), **{**given, **changes})


def train(*members, problem=None, budget=Budget(epochs=3), seed=0):
    return train_cohort(members, problem or line(), budget, seed)


def test_a_training_equals_a_plain_loop_written_apart():
    problem = line()
    x, y = problem.train.tensors
    trained = train(member(order="fixed"), problem=problem)[0]
    model = initial_model(problem, 0, 0)
    for _ in range(3):
        for rows in permutation(16, 0, "order", 0, 0).split(4):
            loss = ((model(x[rows]) - y[rows]) ** 2).mean()
            model.zero_grad()
            loss.backward()
            with torch.no_grad():
                for p in model.parameters():
                    p.add_(p.grad, alpha=-0.1)
    assert all(torch.equal(trained.weights[name], p) for name, p in model.named_parameters())
    with torch.no_grad():
        expected = float(((model(x) - y) ** 2).mean())
    assert trained.curve["train_loss"][-1] == pytest.approx(expected)


def test_the_same_member_gives_the_same_bits_and_leaves_the_global_generator_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, again = train(member())[0], train(member())[0]
    assert torch.equal(before, torch.get_rng_state())
    assert first.curve.columns["train_loss"] == again.curve.columns["train_loss"]
    other = train(member(), seed=1)[0]
    assert other.curve["train_loss"] != first.curve["train_loss"]


def test_every_epoch_has_its_own_order_unless_it_is_fixed():
    seen = {"reshuffle": [], "fixed": []}
    for order, batches in seen.items():

        def watched(output, target, batches=batches):
            if torch.is_grad_enabled():
                batches.append(target.flatten().tolist())
            return mse_loss(output, target)

        problem = line(loss=watched)
        batches.clear()
        train(member(order=order), problem=problem, budget=Budget(epochs=2))
    for order, batches in seen.items():
        first, second = batches[:4], batches[4:]
        assert sorted(sum(first, [])) == sorted(sum(second, []))
        assert (first == second) == (order == "fixed")


def test_members_with_one_seed_see_the_same_batches_and_dropout():
    problem = line(model=lambda: nn.Sequential(nn.Linear(1, 16), nn.Dropout(0.5), nn.Linear(16, 1)))
    alone = train(member(), problem=problem)[0]
    torch.manual_seed(99)
    together = train(member(SGD(lr=0.2)), member(), problem=problem)[1]
    assert alone.curve["batch_loss"][1:] == together.curve["batch_loss"][1:]


def test_a_diverging_member_is_named_and_harms_no_other():
    alone = train(member())[0]
    bad, good = train(member(SGD(lr=1e3)), member())
    assert bad.outcome.ending is Ending.DIVERGED
    assert "above 10 times its start" in bad.outcome.cause
    assert good.outcome.ending is Ending.FINISHED
    assert good.curve["train_loss"] == alone.curve["train_loss"]
    assert bad.curve["step"][-1] == bad.outcome.step < good.outcome.step


def test_the_first_step_with_a_loss_that_is_no_number_is_named():
    calls = []

    def loss(output, target):
        if torch.is_grad_enabled():
            calls.append(1)
        value = mse_loss(output, target)
        return value * math.nan if torch.is_grad_enabled() and len(calls) == limit else value

    limit = -1
    problem = line(loss=loss)
    calls.clear()
    limit = 7
    outcome = train(member(), problem=problem, budget=Budget(steps=12))[0].outcome
    assert (outcome.ending, outcome.step) == (Ending.DIVERGED, 7)
    assert outcome.cause == "the loss of step 7 was NaN"


def test_a_loader_is_read_once_an_epoch_for_all_members():
    reads = []

    class Counted(TensorDataset):
        def __getitem__(self, i):
            reads.append(i)
            return super().__getitem__(i)

    loader = DataLoader(Counted(X, X), batch_size=5, shuffle=True)
    problem = line(train=loader, validation=(X, X))
    reads.clear()
    a, b = train(
        member(batch_size=None),
        member(Adam(lr=0.1), batch_size=None),
        problem=problem,
        budget=Budget(epochs=2),
    )
    assert len(reads) == 40
    assert a.outcome.step == b.outcome.step == 8


def test_a_cohort_must_share_its_batches():
    with pytest.raises(InputError, match="must share"):
        train(member(), member(seed=1))


def test_a_ragged_last_batch_is_kept_and_samples_are_counted():
    curve = train(member(batch_size=5), budget=Budget(epochs=2))[0].curve
    assert curve["samples"][-1] == 32
    assert curve["step"][-1] == 8


def test_torch_optimizers_train_beside_rules():
    rule = train(member(Adam(lr=0.1)))[0]
    torchs = Member("line", "torch", torch.optim.Adam, {"lr": 0.1}, batch_size=4)
    assert train(torchs)[0].curve["train_loss"] == pytest.approx(rule.curve["train_loss"], rel=1e-4)
    lbfgs = Member("line", "lbfgs", torch.optim.LBFGS, {"lr": 1.0}, batch_size=4)
    assert train(lbfgs)[0].curve["train_loss"][-1] < 1e-8
    with pytest.raises(InputError, match="could not be made"):
        train(Member("line", "bad", torch.optim.Adam, {"lr": -1.0}, batch_size=4))


def test_batch_norm_is_evaluated_with_its_running_statistics():
    problem = line(model=lambda: nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)))
    trained = train(member(), problem=problem)[0]
    model = problem.problem.make_model()
    model.load_state_dict(trained.weights)
    x, y = problem.train.tensors
    with torch.no_grad():
        expected = float(mse_loss(model.eval()(x), y))
    assert trained.curve["train_loss"][-1] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("library", ["torch", "numpy", "python"])
def test_whatever_a_model_draws_from_is_keyed(library):
    import random

    import numpy as np

    class Noisy(nn.Linear):
        def forward(self, x):
            drawn = {"torch": torch.rand, "numpy": np.random.rand, "python": lambda _: [random.random()]}[library](1)
            return super().forward(x) + float(drawn[0])

    problem = line(model=lambda: Noisy(1, 1))
    runs = []
    for ambient in (1, 2):
        torch.manual_seed(ambient)
        np.random.seed(ambient)
        random.seed(ambient)
        runs.append(train(member(SGD(lr=0.2)), member(), problem=problem)[1].curve["train_loss"])
    runs.append(train(member(), problem=problem)[0].curve["train_loss"])
    assert runs[0] == runs[1] == runs[2]


def test_a_frozen_submodule_stays_frozen_through_evaluations():
    def frozen():
        model = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        model[1].eval()
        return model

    weights = train(member(), problem=line(model=frozen))[0].weights
    assert torch.equal(weights["1.running_mean"], torch.zeros(4))


def test_a_leap_that_is_over_at_the_epochs_end_is_no_divergence_however_often_one_looks():
    class Leaps(torch.optim.SGD):
        taken = 0

        def step(self, closure=None):
            self.taken += 1
            for group in self.param_groups:
                for p in group["params"]:
                    p.data.add_({2: 50.0, 3: -50.0}.get(self.taken, 0.0))

    leaps = Member("line", "leaps", Leaps, {"lr": 0.1}, batch_size=4)
    for every in (None, 1):
        outcome = train(leaps, budget=Budget(epochs=2, evaluate_every=every))[0].outcome
        assert outcome.ending is Ending.FINISHED


class Plain(torch.optim.SGD):
    def step(self):
        super().step()


class Forgetful(torch.optim.SGD):
    def step(self, closure=None):
        super().step()


@pytest.mark.parametrize("kind", [Plain, Forgetful])
def test_optimizers_that_know_no_closure_or_forget_its_loss_train_too(kind):
    trained = train(Member("line", "own", kind, {"lr": 0.1}, batch_size=4))[0]
    assert trained.curve["train_loss"] == pytest.approx(train(member())[0].curve["train_loss"])


class Slow(torch.optim.SGD):
    def step(self, closure=None):
        time.sleep(0.005)
        return super().step(closure)


def test_seconds_are_each_members_own():
    slow, quick = train(Member("line", "slow", Slow, {"lr": 0.1}, batch_size=4), member(), budget=Budget(steps=20))
    assert slow.seconds > 0.1
    assert slow.seconds > quick.seconds + 0.05


def test_the_loss_of_every_so_many_th_step_is_kept_without_an_evaluation():
    trained = {every: train(member(), budget=Budget(steps=50, losses_every=every))[0].curve for every in (None, 1, 7)}
    every_step = train(member(), budget=Budget(steps=50, evaluate_every=1))[0].curve["batch_loss"]
    assert trained[None].losses == {}
    assert list(trained[1].losses) == list(range(1, 51))
    assert list(trained[1].losses.values()) == every_step[1:]
    assert trained[7].losses == {step: trained[1].losses[step] for step in range(7, 51, 7)}
    assert trained[1].columns["train_loss"] == trained[None].columns["train_loss"]


def test_of_a_diverged_training_the_losses_are_kept_too():
    curve = train(member(SGD(lr=1e30)), budget=Budget(steps=50, losses_every=2))[0].curve
    assert list(curve.losses) == list(range(2, int(curve["step"][-1]) + 1, 2))
    assert not all(math.isfinite(loss) for loss in curve.losses.values())


def test_an_optimizers_own_way_to_clear_gradients_is_used():
    class Gathering(torch.optim.SGD):
        def zero_grad(self, set_to_none=True):
            pass

    ends = [
        train(Member("line", "o", kind, {"lr": 0.01}, batch_size=4))[0].weights["weight"].item()
        for kind in (torch.optim.SGD, Gathering)
    ]
    assert ends[0] != ends[1]
