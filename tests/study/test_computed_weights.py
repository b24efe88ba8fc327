"""Models whose weights are computed from parameters, as torch's older utilities keep them."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from fallline.problems.copied import copied
from tests.study.studies import compare, line

pytestmark = pytest.mark.usefixtures("own_cache")


def normed():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.Sequential(nn.Linear(1, 4), nn.utils.weight_norm(nn.Linear(4, 1)))


def pruned():
    model = nn.Sequential(nn.Linear(1, 4), nn.Linear(4, 1))
    prune.random_unstructured(model[0], "weight", amount=0.5)
    return model


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(nn.Linear(1, 1))


@pytest.mark.parametrize("make", [normed, pruned, scripted])
def test_a_copy_computes_its_weights_from_its_own_parameters(make):
    model = make()
    other = copied(model)
    x = torch.ones(3, 1)
    assert torch.equal(other(x), model(x))
    with torch.no_grad():
        next(other.parameters()).add_(1.0)
    assert not torch.equal(other(x), model(x))
    assert all(p.is_leaf and p.requires_grad for p in other.parameters())


@pytest.mark.parametrize("make", [normed, pruned])
@pytest.mark.parametrize("instance", [True, False], ids=["instance", "factory"])
def test_a_population_trains_it_as_the_loop_does(tmp_path, make, instance):
    torch.manual_seed(0)
    problem = line(model=make() if instance else make)
    found = compare(tmp_path, problem, runner="population")
    loop = compare(tmp_path, problem, runner="loop", store=tmp_path / "loop")
    assert found.plan["runner"] == "population"
    for one, other in zip(loop.records, found.records, strict=True):
        assert other.curve["train_loss"] == pytest.approx(one.curve["train_loss"], rel=1e-5)


class Holding(nn.Linear):
    """Holds what it computed from its weight in a list, and as a buffer."""

    def __init__(self):
        super().__init__(1, 1)
        self.register_buffer("twice", self.weight * 2)
        self.outputs = [self.weight * 3]


def test_copies_hold_the_values_of_what_was_computed():
    model = Holding()
    other = copied(model)
    assert torch.equal(other.twice, model.twice)
    assert torch.equal(other.outputs[0], model.outputs[0])
    assert other.outputs[0] is not model.outputs[0]


def test_scripted_models_train_one_by_one(tmp_path):
    losses = compare(tmp_path, line(model=scripted)).records[-1].curve["train_loss"]
    assert losses[-1] < losses[0]
