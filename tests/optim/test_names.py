"""A model that is wrapped has the same parameters: the same noise, and states that are exchanged."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.rules import SGD
from fallline.wrappers import Noise


class Wrapped(nn.Module):
    """Holds a model as DistributedDataParallel does."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


class Headed(nn.Module):
    """A model that calls a layer of its own so."""

    def __init__(self) -> None:
        super().__init__()
        self.module = nn.Linear(2, 2)
        self.head = nn.Linear(2, 2)


WRAPPERS = [Wrapped, lambda model: torch.compile(model, backend="eager")]
WRAPPED = pytest.mark.parametrize(
    "wrap", [*WRAPPERS, lambda model: WRAPPERS[1](WRAPPERS[0](model))], ids=["DDP", "compile", "both"]
)


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


def step(optimizer: Optimizer) -> list[Tensor]:
    params = [p for group in optimizer.param_groups for p in group["params"]]
    for p in params:
        p.grad = torch.zeros_like(p)
    optimizer.step()
    return params


@WRAPPED
def test_a_wrapped_model_draws_the_same_noise(wrap: Any) -> None:
    model, other = network(), wrap(network())
    assert [name for name, _ in other.named_parameters()] != [name for name, _ in model.named_parameters()]
    rule = Noise(SGD(lr=1.0), eta=1.0)
    ours, theirs = (step(Optimizer(m.named_parameters(), rule)) for m in (model, other))
    assert all(torch.equal(p, q) for p, q in zip(ours, theirs, strict=True))


@WRAPPED
@pytest.mark.parametrize("split", [False, True])
def test_states_go_from_wrapped_models_to_plain_ones_and_back(wrap: Any, split: bool) -> None:
    def made(model: nn.Module) -> Optimizer:
        named = list(model.named_parameters())
        groups: Any = [{"params": [pair]} for pair in named] if split else named
        return Optimizer(groups, SGD(momentum=0.9))

    plain, wrapped = made(network()), made(wrap(network()))
    step(wrapped)
    plain.load_state_dict(wrapped.state_dict())
    wrapped.load_state_dict(copy.deepcopy(plain.state_dict()))
    other = made(nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))))
    with pytest.raises(InputError, match="has other parameters"):
        other.load_state_dict(wrapped.state_dict())


def test_a_layer_of_that_name_is_no_wrapper() -> None:
    model = Headed()
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    params = step(Optimizer(model.named_parameters(), Noise(SGD(lr=1.0), eta=1.0)))
    assert not torch.equal(params[0], params[2])
