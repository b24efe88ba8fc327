"""One function computes the gradient of every update."""

from itertools import repeat

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import fallline as fl
from fallline.problems import prepare
from fallline.problems.objective import Objective
from fallline.randomness import forked
from fallline.study.named import NamedProblem
from fallline.study.rates import of_problem
from fallline.training.batches import batches
from fallline.training.gradient import KeyedGradient
from fallline.training.training import Training


def dropped():
    return nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 2))


def problem():
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(1))
    return fl.Problem(model=dropped, loss=cross_entropy, train=(x, (x[:, 0] > 0).long()), name="dropped")


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_search_sees_the_losses_of_a_training_with_the_same_seed(optimizer):
    repeatable = of_problem(NamedProblem("dropped", problem(), None, {}), optimizer, 0.05, 16, 3, "cpu")
    with repeatable.lent():
        searched = list(repeatable.train(repeat(0.05, 20)))
    with forked():
        training = Training(repeatable.member, repeatable.problem, 3, 20)
        coming = batches(repeatable.problem, repeatable.member, 3, training.place)
        for _, (place, batch) in zip(range(20), coming, strict=False):
            training.step(batch, place)
    assert searched == [float(loss) for loss in training.losses]


def test_chance_is_that_of_seed_index_and_step():
    prepared = prepare(problem(), 0, torch.device("cpu"))
    torch.manual_seed(0)
    model, batch = dropped(), next(prepared.train_part.in_order())
    optimizer = torch.optim.SGD(model.parameters())

    def loss(seed, index, step):
        objective = Objective(prepared.problem, prepared.device)
        with forked():
            closure = KeyedGradient(model, optimizer, objective, prepared.device, seed, index).closure(batch, step)
            found = closure().item()
            gradient = model[0].weight.grad.clone()
            assert closure().item() == found
            assert torch.equal(model[0].weight.grad, gradient)
        return found

    keys = [(0, 0, 1), (1, 0, 1), (0, 1, 1), (0, 0, 2)]
    assert [loss(*key) for key in keys] == [loss(*key) for key in keys]
    assert len({loss(*key) for key in keys}) == 4
