"""What a step may ask: totals over all groups, gradients elsewhere, keyed noise, and what is due."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.rules import SGD, Now, Rule, State
from fallline.wrappers import L2, Wrapper

EXECUTORS = pytest.mark.parametrize("executor", ["reference", "foreach"])


@dataclass(frozen=True)
class Normalised(Rule):
    """The gradient divided by its norm over the whole model; `slow` makes a second program of it."""

    lr: float = 0.1
    slow: bool = False

    def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
        first = g / torch.sqrt(now.total(g * g))
        return self.lr * first / torch.sqrt(now.total(first * first)), state


@dataclass(frozen=True)
class Sharpness(Wrapper):
    """Sharpness-aware: the rule sees the gradient a little way uphill."""

    radius: float = 0.05

    name = "sharpness"

    def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
        uphill = p + self.radius * g / torch.sqrt(now.total(g * g))
        return self.rule.step(p, now.gradient(uphill), state, now)


@dataclass(frozen=True)
class Noisy(Rule):
    lr: float = 0.1

    def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
        return self.lr * (g + now.noise(p) - 2 * now.noise(p)), state


@dataclass(frozen=True)
class Rare(Rule):
    """Steps at every third step only."""

    lr: float = 0.1

    def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
        return (self.lr if now.due(3) else 0.0) * g, state


def weights() -> list[torch.Tensor]:
    return [torch.tensor(1.0, requires_grad=True), torch.tensor([2.0, -2.0], requires_grad=True)]


def set_gradients(params: list[torch.Tensor], scale: float = 1.0) -> None:
    for p in params:
        p.grad = scale * p.detach().clone()


@EXECUTORS
def test_total_is_over_the_whole_model(executor: str) -> None:
    params = weights()
    set_gradients(params)
    Optimizer(params, Normalised(lr=0.3), executor=executor).step()
    # The norm of (1, 2, -2) is 3.
    assert params[0].item() == pytest.approx(0.9, rel=1e-15)
    assert params[1].tolist() == pytest.approx([1.8, -1.8], rel=1e-15)


@EXECUTORS
def test_groups_of_different_programs_share_the_total(executor: str) -> None:
    params, apart = weights(), weights()
    one = Optimizer(params, Normalised(), executor=executor)
    two = Optimizer([{"params": [apart[0]]}, {"params": [apart[1]], "slow": True}], Normalised(), executor=executor)
    for scale in (1.0, -3.0):
        set_gradients(params, scale)
        set_gradients(apart, scale)
        one.step()
        two.step()
    for p, q in zip(params, apart, strict=True):
        assert torch.allclose(p, q, rtol=1e-14, atol=0.0)


def loss_of(params: list[torch.Tensor]) -> torch.Tensor:
    return (params[0] ** 4 + (params[1] ** 4).sum()) / 4


@EXECUTORS
@pytest.mark.parametrize("grouped", [False, True])
def test_gradient_is_the_models_at_other_weights(executor: str, grouped: bool) -> None:
    params = weights()
    groups: Any = (
        [{"params": [params[0]]}, {"params": [params[1]], "momentum": 0.0, "nesterov": True}] if grouped else params
    )
    optimizer = Optimizer(groups, Sharpness(SGD(lr=0.1)), executor=executor)
    calls = []

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = loss_of(params)
        loss.backward()
        calls.append(loss.item())
        return loss

    before = [p.detach().clone() for p in params]
    loss = optimizer.step(closure)
    g = [p**3 for p in before]
    norm = torch.sqrt(sum((x * x).sum() for x in g))
    expected = [p - 0.1 * (p + 0.05 * x / norm) ** 3 for p, x in zip(before, g, strict=True)]
    for p, q, x in zip(params, expected, g, strict=True):
        assert torch.allclose(p, q, rtol=1e-14, atol=0.0)
        assert p.grad is not None
        assert torch.equal(p.grad, x)
    assert loss.item() == calls[0]
    assert len(calls) == 2


def test_weights_come_back_when_the_further_loss_fails() -> None:
    params = weights()
    optimizer = Optimizer(params, Sharpness(SGD(lr=0.1)))
    calls = []

    def closure() -> torch.Tensor:
        if calls:
            raise RuntimeError("no more data")
        calls.append(1)
        optimizer.zero_grad()
        loss = loss_of(params)
        loss.backward()
        return loss

    with pytest.raises(RuntimeError, match="no more data"):
        optimizer.step(closure)
    assert params[0].item() == 1.0
    assert params[1].tolist() == [2.0, -2.0]
    assert params[1].grad is not None


def test_gradient_without_closure_says_what_to_do() -> None:
    params = weights()
    set_gradients(params)
    with pytest.raises(InputError, match=r"call optimizer\.step\(closure\)"):
        Optimizer(params, Sharpness(SGD())).step()


def test_rules_that_ask_differently_at_one_moment_are_refused() -> None:
    @dataclass(frozen=True)
    class Either(Rule):
        lr: float = 0.1
        further: bool = False

        def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
            return self.lr * (now.gradient(p) if self.further else g / now.total(g)), state

    params = weights()
    set_gradients(params)
    optimizer = Optimizer([{"params": [params[0]]}, {"params": [params[1]], "further": True}], Either())
    with pytest.raises(InputError, match="a total and a gradient at the same moment"):
        optimizer.step(lambda: 0.0)


def noisy_run(executor: str = "foreach", seed: int = 0, steps: int = 3, grouped: bool = False) -> list[Any]:
    params = weights()
    groups: Any = [{"params": [p], "lr": 0.1} for p in params] if grouped else params
    optimizer = Optimizer(groups, L2(Noisy(), 0.0), executor=executor, seed=seed)
    for _ in range(steps):
        for p in params:
            p.grad = torch.zeros_like(p)
        optimizer.step()
    return [p.tolist() for p in params]


def test_noise_is_keyed_and_the_same_under_every_executor() -> None:
    state = torch.get_rng_state()
    first = noisy_run()
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert noisy_run() == first
    assert noisy_run(grouped=True) == first
    assert noisy_run("reference") == first
    assert noisy_run(seed=1) != first
    torch.set_rng_state(state)


def test_noise_differs_between_calls_elements_parameters_and_steps() -> None:
    p = torch.zeros(4, requires_grad=True)
    q = torch.zeros(4, requires_grad=True)
    optimizer = Optimizer([p, q], Noisy(lr=1.0))
    moves = []
    for _ in range(2):
        p.grad, q.grad = torch.zeros(4), torch.zeros(4)
        before = p.detach().clone(), q.detach().clone()
        optimizer.step()
        moves += [*(p - before[0]).tolist(), *(q - before[1]).tolist()]
    assert len({round(move, 9) for move in moves}) == 16


def test_noise_is_not_repeated_where_gradients_were_missing() -> None:
    p, q = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = Optimizer([p, q], Noisy(lr=1.0))
    moves = []
    # p is ahead at first, and q catches up: neither's count tells the number of the model's steps.
    for taking_part in [(p,), (p,), (p,), (p, q), (q,), (q,), (q,)]:
        p.grad = q.grad = None
        for x in taking_part:
            x.grad = torch.zeros(1)
        before = q.item()
        optimizer.step()
        moves.append(q.item() - before)
    assert moves[:3] == [0.0] * 3
    assert len({round(move, 9) for move in moves[3:]}) == 4


@EXECUTORS
def test_due_is_at_the_first_step_and_every_so_many_after(executor: str) -> None:
    p = torch.tensor([0.0], requires_grad=True)
    optimizer = Optimizer([p], Rare(lr=1.0), executor=executor)
    seen = []
    for _ in range(7):
        p.grad = -torch.ones(1)
        optimizer.step()
        seen.append(p.item())
    assert seen == [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0]
