"""A model that is converted between steps trains on, under every executor, as if its state had been converted too."""

from typing import Any

import pytest
import torch
from torch import nn

from fallline import optim
from fallline.executors import Compiled
from fallline.executors.kernels import uncompiled
from fallline.optim import Optimizer
from fallline.optim.optimizer import EXECUTORS
from fallline.rules import SGD, Adam, Rule
from fallline.wrappers import Lookahead

UNDER_EVERY_EXECUTOR = pytest.mark.parametrize("executor", list(dict.fromkeys(["auto", *EXECUTORS])))


@pytest.fixture(autouse=True)
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled executor runs its graph as it is."""
    monkeypatch.setitem(EXECUTORS, "compiled", Compiled(uncompiled))


def network(dtype: torch.dtype) -> nn.Sequential:
    made = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)).to(dtype)
    with torch.no_grad():
        for p in made.parameters():
            p.copy_(torch.linspace(-1, 1, p.numel()).reshape(p.shape))
    return made


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 2) -> None:
    for i in range(steps):
        for p in model.parameters():
            p.grad = torch.full_like(p, 0.5 + i)
        optimizer.step()


def as_if_loaded(rule: Rule, change: Any, given: dict[str, Any]) -> list[torch.Tensor]:
    """The same training, its state saved, converted by hand and loaded into an optimizer of the converted model."""
    model = network(torch.float32)
    first = Optimizer(model.parameters(), rule, **given)
    train(model, first)
    packed = first.state_dict()
    change(model)
    for (name, p), state in zip(model.named_parameters(), packed["state"].values(), strict=True):
        del name
        for entry, x in state.items():
            state[entry] = x.to(p.dtype) if entry != "step" and x.dim() else x
    second = Optimizer(model.parameters(), rule, **given)
    second.load_state_dict(packed)
    train(model, second)
    return list(model.parameters())


@UNDER_EVERY_EXECUTOR
@pytest.mark.parametrize(
    "rule", [Adam(lr=0.1), SGD(lr=0.1, momentum=0.9), Lookahead(Adam(lr=0.1), k=3)], ids=["Adam", "SGD", "Lookahead"]
)
@pytest.mark.parametrize("part", ["all", "the last layer"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_state_follows_its_parameters(rule: Rule, executor: str, part: str, dtype: torch.dtype) -> None:
    def change(model: Any) -> None:
        (model if part == "all" else model[1]).to(dtype)

    model = network(torch.float32)
    optimizer = Optimizer(model.parameters(), rule, executor=executor)
    train(model, optimizer)
    change(model)
    train(model, optimizer)
    for p in model.parameters():
        assert {x.dtype for name, x in optimizer.state[p].items() if name != "step"} == {p.dtype}
    for p, q in zip(model.parameters(), as_if_loaded(rule, change, {"executor": executor}), strict=True):
        assert p.dtype == q.dtype
        assert torch.equal(p, q)


@pytest.mark.parametrize("executor", ["auto", "reference"])
def test_a_momentum_that_is_off_for_now_follows_too(executor: str) -> None:
    model = network(torch.float32)
    optimizer: Any = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, executor=executor)
    train(model, optimizer)
    optimizer.param_groups[0]["momentum"] = 0.0
    model.double()
    train(model, optimizer)
    assert all(state["momentum_buffer"].dtype == torch.float64 for state in optimizer.state.values())
    optimizer.param_groups[0]["momentum"] = 0.9
    train(model, optimizer)


@UNDER_EVERY_EXECUTOR
def test_numbers_that_a_parameter_has_one_of_keep_their_type(executor: str) -> None:
    model = network(torch.float32)
    optimizer: Any = optim.NAdam(model.parameters(), executor=executor)
    train(model, optimizer)
    kept = {state["mu_product"].dtype for state in optimizer.state.values()}
    model.to(torch.bfloat16)
    train(model, optimizer)
    assert {state["mu_product"].dtype for state in optimizer.state.values()} == kept


def test_before_the_first_step_there_is_nothing_to_follow() -> None:
    model = network(torch.float32)
    optimizer: Any = optim.Adam(model.parameters())
    model.double()
    train(model, optimizer)
    assert all(state["exp_avg"].dtype == torch.float64 for state in optimizer.state.values())
