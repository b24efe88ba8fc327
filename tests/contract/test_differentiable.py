"""differentiable=True: autograd goes through the step to parameters, gradients, states and tensor hyperparameters."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from fallline import optim
from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.optim.views import first_state
from fallline.rules import SGD, Adam, Now, Rule, State
from fallline.wrappers import L2, Wrapper
from tests.contract.trained import RULES, drawn

SHAPE = (4, 3)


def stepped(rule: Rule, p: Tensor, g: Tensor, **state: Tensor) -> tuple[Tensor, ...]:
    """What became of the parameter and of the entries of its state that have a graph."""
    p = p.clone()
    p.grad = g
    optimizer = Optimizer([p], rule, differentiable=True)
    if state:
        optimizer.state[p].update({"step": torch.tensor(10.0)} | {name: x.clone() for name, x in state.items()})
    optimizer.step()
    kept = [x for name, x in optimizer.state[p].items() if name != "step" and x.requires_grad]
    return p, *kept


def point(purpose: str, shape: tuple[int, ...] = SHAPE) -> Tensor:
    return drawn(purpose, 0, 0, shape, torch.float64).requires_grad_()


@RULES
def test_gradient_of_a_step_with_respect_to_weights_and_gradients(rule: Rule) -> None:
    start = point("p").detach().requires_grad_()
    optimizer = Optimizer([start], rule)
    for step in range(2):
        start.grad = drawn("g", 0, step, SHAPE, torch.float64)
        optimizer.step()
    state = optimizer.state[start]

    def function(p: Tensor, g: Tensor) -> tuple[Tensor, ...]:
        return stepped(rule, p, g, **state)

    p, g = start.detach().clone().requires_grad_(), point("g")
    # What is computed in half precision, as Muon's iteration, has a graph that finite differences cannot see.
    if torch.bfloat16 in dtypes_within(lambda: function(p, g)):
        assert torch.autograd.grad(function(p, g)[0].sum(), g)[0].isfinite().all()
    else:
        assert gradcheck(function, (p, g), rtol=1e-3, atol=1e-5)


def dtypes_within(run: Callable[[], object]) -> set[torch.dtype]:
    """The types of all that a computation makes."""
    found: set[torch.dtype] = set()

    class Seen(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = function(*args, **(kwargs or {}))
            found.update([result.dtype] if isinstance(result, Tensor) else [])
            return result

    with Seen():
        run()
    return found


def test_gradient_with_respect_to_state() -> None:
    names = list(first_state(Adam(amsgrad=True), point("p")))
    state = [(point(name).detach().abs() + 0.1 * (i + 1)).requires_grad_() for i, name in enumerate(names)]

    def function(p: Tensor, g: Tensor, *entries: Tensor) -> tuple[Tensor, ...]:
        return stepped(Adam(lr=0.1, amsgrad=True), p, g, **dict(zip(names, entries, strict=True)))

    assert len(function(point("p"), point("g"), *state)) == 4
    assert gradcheck(function, (point("p"), point("g"), *state))


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Momentum"])
def test_gradient_with_respect_to_the_learning_rate_and_decay(name: str) -> None:
    def function(lr: Tensor, decay: Tensor) -> Tensor:
        p = point("p").detach().clone()
        optimizer = getattr(optim, name)([p], lr=lr, weight_decay=decay, differentiable=True)
        for step in range(3):
            p.grad = drawn("g", 0, step, SHAPE, torch.float64)
            optimizer.step()
        return p.clone()

    values = torch.tensor(0.1, requires_grad=True), torch.tensor(0.2, requires_grad=True)
    assert gradcheck(function, values)


def test_learning_rate_learned_through_an_inner_training_equals_torch() -> None:
    def outer(make: Any) -> tuple[float, float]:
        lr = torch.tensor(0.1, requires_grad=True)
        p = torch.tensor([1.0, -2.0]).clone()
        optimizer = make([p], lr=lr, differentiable=True)
        for _ in range(3):
            p.grad = 2 * p
            optimizer.step()
        loss = (p**2).sum()
        loss.backward()
        assert lr.grad is not None
        return loss.item(), lr.grad.item()

    assert outer(optim.SGD) == pytest.approx(outer(torch.optim.SGD), rel=1e-12)


def test_wrappers_and_groups_of_their_own_values_keep_the_graph() -> None:
    first, second = torch.tensor(0.1, requires_grad=True), torch.tensor(0.3, requires_grad=True)
    p, q = torch.tensor([1.0]).clone(), torch.tensor([1.0]).clone()
    groups = [{"params": [p], "lr": first}, {"params": [q], "lr": second}]
    optimizer = Optimizer(groups, L2(SGD(), 0.5), differentiable=True)
    p.grad, q.grad = torch.tensor([1.0]), torch.tensor([2.0])
    optimizer.step()
    (p + q).sum().backward()
    assert first.grad is not None
    assert second.grad is not None
    assert [first.grad.item(), second.grad.item()] == [-1.5, -2.5]


def test_complex_parameters_have_a_graph() -> None:
    def function(p: Tensor, g: Tensor) -> tuple[Tensor, ...]:
        return stepped(Adam(lr=0.1), p, g)

    inputs = [drawn(name, 0, 0, (3,), torch.complex128).requires_grad_() for name in ("p", "g")]
    assert gradcheck(function, inputs)


def test_without_it_nothing_has_a_graph() -> None:
    lr = torch.tensor(0.1, requires_grad=True)
    p = torch.tensor([1.0], requires_grad=True)
    p.grad = torch.tensor([1.0], requires_grad=True) * 1
    optimizer = optim.Adam([p], lr=lr)
    optimizer.step()
    assert p.is_leaf
    assert not any(x.requires_grad for x in optimizer.state[p].values())


def test_a_leaf_is_refused_before_anything_is_changed() -> None:
    p = torch.tensor([1.0], requires_grad=True)
    p.grad = torch.tensor([1.0])
    optimizer = optim.Adam([p], differentiable=True)
    with pytest.raises(InputError, match=r"cannot step a leaf .* Give the optimizer a clone"):
        optimizer.step()
    assert p.item() == 1.0
    assert not optimizer.state


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fused": True}, "differentiable=True and fused=True exclude each other"),
        ({"foreach": True}, "differentiable=True and foreach=True exclude each other"),
        ({"executor": "foreach"}, "differentiable=True and executor='foreach' exclude each other"),
    ],
)
def test_fast_ways_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        optim.Adam([torch.tensor([1.0])], differentiable=True, **given)


def test_a_group_of_its_own_kind_is_refused() -> None:
    p = torch.tensor([1.0])
    with pytest.raises(InputError, match="differentiable is one for all groups"):
        optim.Adam([{"params": [p], "differentiable": True}])


def test_a_further_gradient_is_refused() -> None:
    class Ahead(Wrapper):
        name = "ahead"

        def step(self, p: Any, g: Any, state: State, now: Now) -> Any:
            return self.rule.step(p, now.gradient(p - g), state, now)

    p = torch.tensor([1.0], requires_grad=True).clone()
    p.grad = torch.tensor([1.0])
    with pytest.raises(InputError, match="differentiable=True does not go through a further gradient"):
        Optimizer([p], Ahead(SGD()), differentiable=True).step(lambda: None)
