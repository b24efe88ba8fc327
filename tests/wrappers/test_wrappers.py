"""Wrappers: what they change, how they nest, and their keys."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR

from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.rules import ASGD, SGD, Adam, AdamW, Now, Rule, ScheduleFreeAdamW, ScheduleFreeSGD, State
from fallline.wrappers import (
    L1,
    L2,
    Average,
    Cautious,
    Centralise,
    Clip,
    DecoupledDecay,
    IndependentDecay,
    Lookahead,
    Maximize,
    Noise,
    Route,
    Wrapper,
)


@dataclass(frozen=True)
class Doubled(Wrapper):
    factor: float = 2.0
    halved: bool = False

    name = "doubled"

    def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
        decrement, new = self.rule.step(p, g, state, now)
        return (decrement if self.halved else self.factor * decrement), new


@dataclass(frozen=True)
class Rateless(Rule):
    """A rule without learning rate."""

    def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
        return g, state


def after_steps(rule: Rule, steps: int = 3) -> torch.Tensor:
    p = torch.tensor([1.0, -2.0], requires_grad=True)
    optimizer = Optimizer([p], rule)
    for step in range(steps):
        p.grad = torch.tensor([0.5, -0.25]) * (step + 1)
        optimizer.step()
    return p.detach()


def test_l2_adds_the_weight_to_the_gradient() -> None:
    # 1 - 0.1 * (0.5 + 0.2 * 1), -2 - 0.1 * (-0.25 - 0.2 * 2)
    assert after_steps(L2(SGD(lr=0.1), 0.2), 1).tolist() == pytest.approx([0.93, -1.935], rel=1e-15)


def test_maximize_turns_the_gradient_round() -> None:
    assert after_steps(Maximize(SGD(lr=0.1)), 1).tolist() == pytest.approx([1.05, -2.025], rel=1e-15)


def test_decoupled_decay_is_beside_the_step() -> None:
    assert torch.allclose(
        after_steps(DecoupledDecay(Adam(lr=0.1), 0.3)),
        after_steps(AdamW(lr=0.1, weight_decay=0.3)),
        rtol=1e-14,
    )
    assert not torch.allclose(after_steps(DecoupledDecay(Adam(lr=0.1), 0.3)), after_steps(L2(Adam(lr=0.1), 0.3)))


def test_order_of_nesting_is_the_order_of_work() -> None:
    # Inside Maximize the decay pulls towards 0; outside, it is turned round with the gradient.
    inside = after_steps(Maximize(L2(SGD(lr=0.1), 0.2)), 1)
    outside = after_steps(L2(Maximize(SGD(lr=0.1)), 0.2), 1)
    assert inside.tolist() == pytest.approx([1 - 0.1 * (-0.5 + 0.2), -2 - 0.1 * (0.25 - 0.4)], rel=1e-14)
    assert outside.tolist() == pytest.approx([1 - 0.1 * -(0.5 + 0.2), -2 - 0.1 * -(-0.25 - 0.4)], rel=1e-14)


def test_keys_bear_the_wrappers_name() -> None:
    rule = L2(Doubled(SGD(lr=0.1)), 0.2)
    assert rule.hyperparameters() == {
        "lr": 0.1,
        "momentum": None,
        "dampening": 0.0,
        "nesterov": False,
        "doubled.factor": 2.0,
        "doubled.halved": False,
        "l2.weight_decay": 0.2,
    }
    assert rule.floats().keys() == {"lr", "dampening", "doubled.factor", "l2.weight_decay"}
    assert isinstance(rule.core(), SGD)


def test_replace_reaches_every_level_and_refuses_the_unknown() -> None:
    rule = L2(Doubled(SGD(lr=0.1)), 0.2).replace({"doubled.factor": 3, "l2.weight_decay": 0, "lr": 1})
    assert rule == L2(Doubled(SGD(lr=1.0), factor=3.0), 0.0)
    with pytest.raises(InputError, match=r"Did you mean 'l2.weight_decay'\?"):
        rule.replace({"l2.weightdecay": 0.1})
    with pytest.raises(InputError, match="weight_decay must be a finite number of at least 0"):
        rule.replace({"l2.weight_decay": -0.1})


def test_program_of_a_wrapper_is_its_own_and_the_rules() -> None:
    assert L2(SGD(lr=0.1), 0.1).program() == L2(SGD(lr=0.2), 0.2).program()
    assert L2(SGD()).program() != SGD().program()
    assert L2(SGD(momentum=0.9)).program() != L2(SGD(momentum=0.9, nesterov=True)).program()
    assert Doubled(SGD()).program() != Doubled(SGD(), halved=True).program()
    assert L2(Maximize(SGD())).program() != Maximize(L2(SGD())).program()


@dataclass(frozen=True)
class Rows(Rule):
    lr: float = 0.1
    weight_decay: float = 0.0

    acts_on = "matrix"
    penalty = "weight_decay"


def test_wrapper_acts_on_the_coarser_of_its_own_and_the_rules_pieces() -> None:
    assert L2(SGD()).acts_on == "element"
    assert Clip(SGD(), value=1.0).acts_on == "tensor"
    assert L2(Maximize(Clip(SGD(), value=1.0))).acts_on == "tensor"
    assert Clip(L2(Rows()), norm=1.0).acts_on == "matrix"
    assert L2(Clip(SGD(), norm=1.0)).bind({"l2.weight_decay": 0.1, "lr": 0.2}).acts_on == "tensor"
    # The class says what its own formula acts on.
    assert L2.acts_on == "element"


def test_penalties_are_those_of_every_level() -> None:
    assert L1(Noise(L2(DecoupledDecay(SGD())))).penalties() == (
        "decoupled.weight_decay",
        "l2.weight_decay",
        "l1.strength",
    )
    assert L2(Rows()).penalties() == ("weight_decay", "l2.weight_decay")
    assert AdamW().penalties() == ("weight_decay",)
    assert Maximize(Clip(SGD(), norm=1.0)).penalties() == ()


@pytest.mark.parametrize("wrapper", [L1, L2, DecoupledDecay])
def test_penalty_is_a_field(wrapper: type[Wrapper]) -> None:
    rule = wrapper(SGD())
    assert set(rule.penalties()) <= rule.floats().keys()


def test_same_wrapper_twice_is_refused() -> None:
    with pytest.raises(InputError, match=r"already has 'l2\.weight_decay'"):
        L2(L2(SGD()))


@pytest.mark.parametrize("inner", [SGD, "sgd", None])
def test_wrapper_needs_a_rule(inner: Any) -> None:
    with pytest.raises(InputError, match="rule must be of type Rule"):
        L2(inner)


def test_decoupled_decay_needs_a_learning_rate() -> None:
    with pytest.raises(InputError, match="scaled by lr, which Rateless lacks"):
        DecoupledDecay(Rateless())


@pytest.mark.parametrize("weight_decay", [-1.0, float("nan"), True, "1"])
def test_bad_decay_is_refused(weight_decay: Any) -> None:
    with pytest.raises(InputError, match="weight_decay must be"):
        L2(SGD(), weight_decay)


def test_groups_set_a_wrappers_field_and_a_scheduler_writes_it() -> None:
    p, q = (torch.tensor([1.0], requires_grad=True) for _ in range(2))
    optimizer = Optimizer([{"params": [p]}, {"params": [q], "l2.weight_decay": 0.5}], L2(SGD(lr=0.1), 0.0))
    for _ in range(2):
        for x in (p, q):
            x.grad = torch.zeros(1)
        optimizer.step()
        optimizer.param_groups[0]["l2.weight_decay"] = 1.0
    assert p.item() == pytest.approx(0.9, rel=1e-15)
    assert q.item() == pytest.approx(0.95 * 0.95, rel=1e-15)


def test_scheduler_warms_up_a_wrapped_rule_from_zero() -> None:
    p = torch.tensor([1.0], requires_grad=True)
    optimizer = Optimizer([p], DecoupledDecay(SGD(lr=0.1), 0.5))
    scheduler = LambdaLR(optimizer, lambda step: step / 2)
    seen = []
    for _ in range(3):
        p.grad = torch.ones(1)
        optimizer.step()
        scheduler.step()
        seen.append(p.item())
    first = 1 - 0.05 * (1 + 0.5)
    assert seen == pytest.approx([1.0, first, first - 0.1 * (1 + 0.5 * first)], rel=1e-15)


def test_what_cannot_be_nested_is_refused_through_other_wrappers_and_routes() -> None:
    inside = L2(Average(SGD()))
    with pytest.raises(InputError, match=r"L1 cannot stand around Average: .* Write Average around it\."):
        L1(Clip(inside, norm=1.0))
    with pytest.raises(InputError, match=r"L1 cannot stand around Route: .* Write Average around it\."):
        L1(Clip(Route(SGD(), others=inside), norm=1.0))
    assert Average(L1(SGD())).penalties() == ("l1.strength",)


TWO_SEQUENCES = pytest.mark.parametrize(
    "rule", [ScheduleFreeSGD(lr=0.1, momentum=0.6), ScheduleFreeAdamW(lr=0.1), ASGD(lr=0.1, t0=1.0)]
)


@TWO_SEQUENCES
@pytest.mark.parametrize("wrapper", [Cautious, DecoupledDecay, IndependentDecay, L1, Lookahead])
def test_what_changes_the_step_cannot_stand_around_a_rule_that_keeps_its_own_average(wrapper: Any, rule: Rule) -> None:
    with pytest.raises(InputError, match=f"{wrapper.__name__} cannot stand around {type(rule).__name__}: .*Average"):
        wrapper(Clip(rule, norm=1.0))


@pytest.mark.parametrize(
    "wrapper",
    [L2, Maximize, Centralise, Noise, lambda rule: Clip(rule, value=0.3), lambda rule: rule],
    ids=["L2", "Maximize", "Centralise", "Noise", "Clip", "alone"],
)
@pytest.mark.parametrize("rule", [ScheduleFreeSGD(lr=0.1, momentum=0.6), ScheduleFreeAdamW(lr=0.1)])
def test_around_schedule_free_rules_the_point_stays_the_average_of_z(wrapper: Any, rule: Rule) -> None:
    p = torch.tensor([[1.0, -2.0], [0.5, 3.0]], requires_grad=True)
    optimizer = Optimizer([p], wrapper(rule))
    iterates = []
    for step in range(6):
        p.grad = (p - step).detach()
        optimizer.step()
        iterates.append(optimizer.state[p]["z"].clone())
    with optimizer.evaluating():
        assert torch.allclose(p, torch.stack(iterates).mean(0), rtol=1e-12)


def test_an_average_knows_all_that_is_done_to_the_weights() -> None:
    with pytest.raises(InputError, match="Lookahead cannot stand around Average: .* Write Average around it"):
        Lookahead(Average(SGD()))
    assert Average(Lookahead(SGD())).decay == 0.999
