"""What is due every k steps goes by the optimizer's steps, whichever parameters take part in them."""

import copy
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from fallline import optim
from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.rules import SGD
from fallline.wrappers import Accumulate, Lookahead

EXECUTORS = pytest.mark.parametrize("executor", ["reference", "foreach"])


def weights() -> list[Tensor]:
    return [torch.zeros(1, requires_grad=True) for _ in range(2)]


def step(optimizer: torch.optim.Optimizer, *taking_part: Tensor) -> None:
    """One step with gradient -1 for some parameters, none for the others."""
    optimizer.zero_grad()
    for p in taking_part:
        p.grad = -torch.ones(1)
    optimizer.step()


def accumulating(params: Sequence[Tensor], **given: Any) -> Optimizer:
    return Optimizer(list(params), Accumulate(SGD(lr=1.0), k=3), **given)


@EXECUTORS
def test_a_layer_that_is_frozen_shifts_nothing(executor: str) -> None:
    old, young = weights()
    optimizer = accumulating([old, young], executor=executor)
    for _ in range(2):
        step(optimizer, old)
    path = []
    # From the third step on the oldest is frozen: steps 3, 6 and 9 are due.
    for _ in range(7):
        step(optimizer, young)
        path.append(young.item())
    assert path == pytest.approx([1 / 3] * 3 + [4 / 3] * 3 + [7 / 3], rel=1e-15)


@EXECUTORS
def test_lookahead_goes_back_at_the_optimizers_steps(executor: str) -> None:
    old, young = weights()
    optimizer = Optimizer([old, young], Lookahead(SGD(lr=1.0), k=3, alpha=0.5), executor=executor)
    for _ in range(4):
        step(optimizer, old)
    path = []
    for _ in range(5):
        step(optimizer, young)
        path.append(young.item())
    # At steps 6 and 9, half way back.
    assert path == [1.0, 1.0, 2.0, 3.0, 2.5]


COPIES: dict[str, Callable[[Optimizer], Optimizer]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda optimizer: pickle.loads(pickle.dumps(optimizer)),
    "state_dict": lambda optimizer: loaded(accumulating(copied(optimizer)), optimizer.state_dict()),
}


def copied(optimizer: Optimizer) -> list[Tensor]:
    return [p.detach().clone().requires_grad_() for p in optimizer.param_groups[0]["params"]]


def loaded(optimizer: Optimizer, packed: dict[str, Any]) -> Optimizer:
    optimizer.load_state_dict(packed)
    return optimizer


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES.keys())
def test_the_count_goes_with_the_state_where_no_parameter_tells_it(copy: Callable[[Optimizer], Optimizer]) -> None:
    old, young = weights()
    optimizer = accumulating([old, young])
    for taking_part in (old, young, young, young):  # four steps, of at most three updates
        step(optimizer, taking_part)
    twin = copy(optimizer)
    for one in (optimizer, twin):
        path = []
        for _ in range(3):
            p = one.param_groups[0]["params"][1]
            step(one, p)
            path.append(p.item())
        assert path == pytest.approx([2 / 3, 5 / 3, 5 / 3], rel=1e-15)


def test_the_count_is_saved_only_where_the_states_do_not_tell_it() -> None:
    old, young = weights()
    optimizer = accumulating([old, young])
    step(optimizer, old)
    step(optimizer, old, young)
    assert optimizer.state_dict().keys() == {"state", "param_groups"}
    step(optimizer, young)
    assert optimizer.state_dict()["steps"] == 3
    # A face says no more than torch's own.
    plain = optim.Adam([old, young])
    step(plain, old)
    step(plain, young)
    assert plain.state_dict().keys() == {"state", "param_groups"}


def test_a_state_of_torch_goes_on_from_its_longest_count() -> None:
    old, young = weights()
    theirs = torch.optim.Adam([old, young])
    for taking_part in [(old, young), (old,), (old,), (young,)]:
        step(theirs, *taking_part)
    ours = optim.Adam(weights(), executor="foreach")
    ours.load_state_dict(theirs.state_dict())
    step(ours, *ours.param_groups[0]["params"])
    assert ours._steps_made() == 4


def test_a_state_that_is_thrown_away_begins_anew() -> None:
    (p, _) = weights()
    optimizer = accumulating([p])
    for _ in range(2):
        step(optimizer, p)
    optimizer.state.clear()
    for _ in range(2):
        step(optimizer, p)
    assert p.item() == 0.0


def test_a_step_without_any_gradient_is_none() -> None:
    (p, _) = weights()
    optimizer = accumulating([p])
    for taking_part in [(p,), (), (), (p,)]:
        step(optimizer, *taking_part)
    assert p.item() == 0.0
    step(optimizer, p)
    assert p.item() == 1.0


@pytest.mark.parametrize("steps", [0, -1, 1.5, True, "3"])
def test_a_saved_count_that_is_none_is_refused(steps: Any) -> None:
    p, _ = weights()
    optimizer = accumulating([p])
    with pytest.raises(InputError, match="steps of the saved state must be a whole number of at least 1"):
        optimizer.load_state_dict({**optimizer.state_dict(), "steps": steps})
