"""Gradient noise: its variance by hand, its keys, and its place in a nesting."""

import math
from typing import Any

import pytest
import torch

from fallline.errors import InputError
from fallline.executors import Part, Surroundings, foreach, population, reference
from fallline.optim import Optimizer
from fallline.rules import SGD
from fallline.wrappers import Clip, Noise
from tests.wrappers.stepping import EXECUTORS, Step, surroundings


@EXECUTORS
@pytest.mark.parametrize(("t", "expected"), [(1, [2.0, -0.5]), (4, [1.5, -1.0]), (25, [1.2, -1.3])])
def test_step_by_hand(step: Step, t: int, expected: list[float]) -> None:
    # Deviations sqrt(0.25 / t): 0.5, 0.25, 0.1; each draw is 2.
    rule = Noise(SGD(lr=1.0), eta=0.25, gamma=1.0)
    p, g = [torch.zeros(1), torch.zeros(())], [torch.tensor([1.0]), torch.tensor(-1.5)]
    first, second = step(rule, p, g, t=t, noise=2.0)
    assert [-first.item(), -second.item()] == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("executor", [reference, foreach])
def test_each_parameter_has_noise_of_its_own_age(executor: Any) -> None:
    rule = Noise(SGD(lr=1.0), eta=0.25, gamma=1.0)
    zeros = [torch.zeros(2), torch.zeros(3)]
    part = Part(rule, zeros, zeros, [{}, {}], [rule.floats()] * 2, [1, 4], [0, 1])
    first, second = executor([part], surroundings(2.0))[0].decrement
    assert first.tolist() == [1.0] * 2
    assert second.tolist() == [0.5] * 3


def test_members_share_the_draw_and_have_their_own_variance() -> None:
    values = {
        "lr": torch.ones(3),
        "dampening": torch.zeros(3),
        "noise.eta": torch.tensor([0.0, 0.25, 1.0]),
        "noise.gamma": torch.tensor([0.55, 1.0, 0.5]),
    }
    draw = torch.tensor([1.0, -2.0])
    zeros = torch.zeros(3, 2)
    around = Surroundings(step=4, noise=lambda p, position, call: draw)
    decrement = population(Noise(SGD()), values, [zeros], [zeros], [{}], 4, around).decrement[0]
    # sqrt(0.25 / 4) = 0.25 and sqrt(1 / 2).
    assert decrement[0].tolist() == [0.0, 0.0]
    assert decrement[1].tolist() == pytest.approx([0.25, -0.5], rel=1e-14)
    assert decrement[2].tolist() == pytest.approx([math.sqrt(0.5), -2 * math.sqrt(0.5)], rel=1e-14)


def drawn(rule: Noise, steps: int, size: int, seed: int = 0, executor: str = "auto") -> list[torch.Tensor]:
    """The noise of each step: SGD of rate 1 at gradient 0 moves by its negative."""
    p = torch.zeros(size, requires_grad=True)
    optimizer = Optimizer([p], rule, seed=seed, executor=executor)
    moves = []
    for _ in range(steps):
        p.grad = torch.zeros(size)
        before = p.detach().clone()
        optimizer.step()
        moves.append(before - p.detach())
    return moves


def test_noise_is_normal_with_the_papers_variance() -> None:
    moves = drawn(Noise(SGD(lr=1.0), eta=0.3), steps=3, size=20_000)
    for t, x in enumerate(moves, start=1):
        z = x / math.sqrt(0.3 / t**0.55)
        # Four standard errors of mean, variance and fourth moment of 20,000 normal numbers.
        assert z.mean().item() == pytest.approx(0.0, abs=0.03)
        assert z.var().item() == pytest.approx(1.0, abs=0.04)
        assert (z**4).mean().item() == pytest.approx(3.0, abs=0.28)
    assert abs(torch.corrcoef(torch.stack(moves))[0, 1].item()) < 0.03


def test_noise_is_keyed_by_the_seed() -> None:
    first = drawn(Noise(SGD(lr=1.0)), steps=2, size=3)
    torch.rand(5)
    again = drawn(Noise(SGD(lr=1.0)), steps=2, size=3, executor="reference")
    other = drawn(Noise(SGD(lr=1.0)), steps=2, size=3, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))


@EXECUTORS
def test_without_variance_nothing_is_changed_and_nan_stays(step: Step) -> None:
    g = torch.tensor([1 / 3, torch.nan, 0.0])
    bare, still = (step(rule, [torch.zeros(3)], [g], noise=2.0)[0] for rule in (SGD(lr=0.1), Noise(SGD(lr=0.1), 0.0)))
    assert torch.equal(bare.nan_to_num(9.0), still.nan_to_num(9.0))
    noisy = step(Noise(SGD(lr=0.1)), [torch.zeros(3)], [g], noise=2.0)[0]
    assert noisy.isnan().tolist() == [False, True, False]


@EXECUTORS
def test_order_of_nesting_is_the_order_of_work(step: Step) -> None:
    p, g = [torch.zeros(1)], [torch.tensor([4.0])]
    # Noise 2 is added to the gradient clipped to 1, or clipped with it.
    after = step(Clip(Noise(SGD(lr=1.0), eta=1.0), value=1.0), p, g, noise=2.0)[0]
    before = step(Noise(Clip(SGD(lr=1.0), value=1.0), eta=1.0), p, g, noise=2.0)[0]
    assert -after.item() == 3.0
    assert -before.item() == 1.0


@pytest.mark.parametrize("name", ["eta", "gamma"])
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, None, True])
def test_bad_value_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"Noise: {name} must be a finite number of at least 0"):
        Noise(SGD(), **{name: value})
