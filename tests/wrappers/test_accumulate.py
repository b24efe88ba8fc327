"""Gradient accumulation: means by hand, what the rule inside counts, and that it is not run in between."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from fallline.errors import InputError
from fallline.executors import Part, initial_state, reference
from fallline.optim import Optimizer
from fallline.rules import SGD, SOAP, Adam, Now, Rule, State
from fallline.wrappers import Accumulate, Clip, DecoupledDecay, Lookahead
from tests.wrappers.stepping import WALKS, Walk, numbers, surroundings


@WALKS
def test_steps_by_hand(walk: Walk) -> None:
    gradients = [[torch.tensor([g]), torch.tensor(-g)] for g in (1.0, 3.0, 2.0, 4.0, 5.0)]
    rule = Accumulate(SGD(lr=1.0, momentum=0.5), k=2)
    weights, _ = walk(rule, [torch.tensor([10.0]), torch.tensor(0.0)], gradients)
    # Velocities 2, and 0.5 * 2 + 3.
    assert numbers(weights) == [[10.0, 0.0], [8.0, 2.0], [8.0, 2.0], [4.0, 6.0], [4.0, 6.0]]


@WALKS
def test_of_one_gradient_it_is_the_rule_itself(walk: Walk) -> None:
    p = [torch.tensor([0.1, 1 / 3])]
    gradients = [[torch.tensor([1 / 7, -t])] for t in range(1, 5)]
    assert numbers(walk(Accumulate(Adam(), k=1), p, gradients)[0]) == numbers(walk(Adam(), p, gradients)[0])


@pytest.mark.parametrize("executor", ["reference", "foreach"])
@pytest.mark.parametrize(
    "rule",
    [Adam(lr=0.1), Lookahead(Adam(lr=0.1), k=2), SOAP(lr=0.1, precondition_frequency=2), Clip(SGD(lr=0.1), norm=0.5)],
    ids=lambda rule: type(rule).__name__,
)
def test_updates_are_the_rules_at_the_means(rule: Rule, executor: str) -> None:
    drawn = torch.randn(18, 3, 2, generator=torch.Generator().manual_seed(1))
    p, q = (torch.ones(3, 2, requires_grad=True) for _ in range(2))
    many, few = Optimizer([p], Accumulate(rule, k=3), executor=executor), Optimizer([q], rule, executor=executor)
    for i, g in enumerate(drawn, start=1):
        p.grad = g
        before = p.detach().clone()
        many.step()
        if i % 3:
            assert torch.equal(p, before)
            continue
        q.grad = (drawn[i - 3] + drawn[i - 2] + drawn[i - 1]) / 3
        few.step()
        assert torch.equal(p, q)
        # SOAP's first update makes its basis, and leaves the weights.
        assert not torch.equal(p, before) or (isinstance(rule, SOAP) and i == 3)


class Log(list[Any]):
    """A list that may be a field, which must have a hash."""

    __hash__ = object.__hash__  # type: ignore[assignment]


@dataclass(frozen=True)
class Watched(Rule):
    """Counts how often it is run, and what it is told."""

    told: Any = None

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        self.told.append((now.t, now.due(2), now.due(3, first=2)))
        return g, state


def test_the_rule_runs_at_every_kth_step_and_counts_its_own_updates() -> None:
    told = Log()
    p = torch.zeros(1, requires_grad=True)
    optimizer = Optimizer([p], Accumulate(Watched(told), k=3), executor="reference")
    for _ in range(15):
        p.grad = torch.ones(1)
        optimizer.step()
    dues = [(True, False), (False, True), (True, False), (False, False), (True, True)]
    assert told == [(t, *due) for t, due in enumerate(dues, start=1)]


def test_a_parameter_that_joined_late_is_at_its_first_update() -> None:
    told = Log()
    rule = Accumulate(Watched(told), k=4)
    p = [torch.zeros(1), torch.zeros(2)]
    state = [initial_state(rule, q) for q in p]
    part = Part(rule, p, [torch.ones(1), torch.ones(2)], state, [{}] * 2, [8, 2], [0, 1])
    around = surroundings(0.0)
    reference([part], type(around)(8, around.noise))
    assert told[0][0].items == [2, 1]


@WALKS
def test_clipping_inside_and_outside_are_different(walk: Walk) -> None:
    gradients = [[torch.tensor([5.0])], [torch.tensor([-1.0])]]
    p = [torch.zeros(1)]
    # The mean 2 clipped to 1; 1 and -1, whose mean is 0.
    assert numbers(walk(Accumulate(Clip(SGD(lr=1.0), value=1.0), k=2), p, gradients)[0])[1] == [-1.0]
    assert numbers(walk(Clip(Accumulate(SGD(lr=1.0), k=2), value=1.0), p, gradients)[0])[1] == [0.0]


def test_decay_is_refused_outside_and_taken_inside() -> None:
    with pytest.raises(InputError, match="DecoupledDecay cannot stand around Accumulate: .* Write Accumulate around"):
        DecoupledDecay(Accumulate(SGD()))
    p = torch.ones(1, requires_grad=True)
    optimizer = Optimizer([p], Accumulate(DecoupledDecay(SGD(lr=0.1), 0.5), k=2))
    for _ in range(2):
        p.grad = torch.zeros(1)
        optimizer.step()
    assert p.item() == pytest.approx(0.95, rel=1e-15)


def test_a_rule_that_needs_a_further_gradient_is_refused_when_it_asks() -> None:
    @dataclass(frozen=True)
    class Further(Rule):
        def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
            return now.gradient(p), state

    p = torch.ones(1, requires_grad=True)
    p.grad = torch.ones(1)
    with pytest.raises(InputError, match="Leave Accumulate out"):
        Optimizer([p], Accumulate(Further(), k=1)).step(lambda: 0.0)


@pytest.mark.parametrize("k", [0, 1.0, "2", None])
def test_bad_count_is_refused(k: Any) -> None:
    with pytest.raises(InputError, match="Accumulate: k must be a whole number of at least 1"):
        Accumulate(SGD(), k=k)
