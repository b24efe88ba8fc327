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
        return nn.Sequential(nn.utils.weight_norm(nn.Linear(1, 4)), nn.Linear(4, 1))


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
@pytest.mark.parametrize("runner", ["loop", "population"])
def test_it_is_trained_from_a_factory_and_from_an_instance(tmp_path, make, runner):
    torch.manual_seed(0)
    found = compare(tmp_path, line(model=make()), runner=runner)
    loop = compare(tmp_path, line(model=make), runner="loop", store=tmp_path / "loop")
    for results in (found, loop):
        losses = results.records[-1].curve["train_loss"]
        assert losses[-1] < losses[0]


def test_scripted_models_train_one_by_one(tmp_path):
    losses = compare(tmp_path, line(model=scripted)).records[-1].curve["train_loss"]
    assert losses[-1] < losses[0]
