"""What "auto" chooses, and that torch's own optimizer works on our groups and state."""

import copy
from collections import defaultdict
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from fallline import optim
from fallline.optim import Optimizer, automatic
from fallline.optim.automatic import chosen, operations, worth_compiling
from fallline.optim.native import Native, native
from fallline.rules import SGD, Adadelta, Adagrad, Adam, Lion, Momentum, Muon, Rule, SparseAdam
from fallline.wrappers import L2, Clip
from tests.conformance.training import furthest, parameters, train


class SteeperAdam(Adam):
    """A user's own formula on top of one that torch has."""

    def step(self, p: Any, g: Any, state: Any, now: Any) -> Any:
        decrement, new = super().step(p, g, state, now)
        return 2 * decrement, new


def groups_of(*sizes: int) -> list[dict[str, Any]]:
    """Parameters that take no memory, with Adam's keys."""
    made = [torch.empty(1).expand(size).requires_grad_() for size in sizes]
    return [{**optim.Adam([torch.zeros(1, requires_grad=True)]).defaults, "params": made}]


def test_small_models_are_stepped_by_torch_itself() -> None:
    assert isinstance(chosen(Adam(), Adam(), groups_of(784 * 200, 200)), Native)


def test_large_models_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automatic, "can_compile", lambda device: True)
    assert chosen(Adam(), Adam(), groups_of(10_000_000)) == "compiled"
    monkeypatch.setattr(automatic, "can_compile", lambda device: False)
    assert isinstance(chosen(Adam(), Adam(), groups_of(10_000_000)), Native)


def test_the_longer_the_formula_the_sooner_it_is_compiled() -> None:
    assert operations(SGD()) < operations(Momentum()) < operations(Adam()) < operations(L2(Adam(), 0.1))
    large = [torch.empty(1).expand(8_000_000)]
    assert [worth_compiling(rule, large) for rule in (SGD(), Momentum(), Adam(), Adadelta())] == [
        False,
        False,
        True,
        True,
    ]
    assert not worth_compiling(Muon(), [torch.empty(1).expand(10_000, 10_000)])


@pytest.mark.parametrize(
    "rule", [Lion(), SparseAdam(), SteeperAdam(), Clip(Adam(), norm=1.0)], ids=lambda r: type(r).__name__
)
def test_torch_steps_no_formula_that_it_lacks(rule: Rule) -> None:
    assert native(rule, groups_of(3)) is None


def test_torch_steps_no_variant_that_it_lacks() -> None:
    (group,) = Optimizer([torch.zeros(2, requires_grad=True)], Adagrad(eps_inside_root=True)).param_groups
    assert native(Adagrad(eps_inside_root=True), [group]) is None


def test_torch_refuses_what_only_ours_takes() -> None:
    kernel = torch.zeros(4, 3, 2, 2, requires_grad=True)
    optimizer = Optimizer([kernel], Muon())
    kernel.grad = torch.ones_like(kernel)
    optimizer.step()
    assert native(Muon(), optimizer.param_groups) is None
    assert kernel.abs().sum() > 0


@pytest.mark.parametrize("rule", [SGD(), Momentum(), Adam(), Adagrad(initial_accumulator_value=0.5)], ids=str)
def test_torchs_steps_go_on_from_ours_and_ours_from_torchs(rule: Rule) -> None:
    changing, steady = parameters(torch.float64), parameters(torch.float64)
    whole = Optimizer(steady, rule, executor="reference")
    train(whole, steady, range(9))
    now: Any = Optimizer(changing, rule)
    for executor, steps in (("auto", range(3)), ("reference", range(3, 6)), ("auto", range(6, 9))):
        following = Optimizer(changing, rule, executor=executor)
        following.load_state_dict(copy.deepcopy(now.state_dict()))
        train(following, changing, steps)
        now = following
    assert furthest(changing, steady) <= 1e-12


def test_a_schedule_and_a_group_of_its_own_reach_torchs_steps() -> None:
    p, q = (torch.ones(1, requires_grad=True) for _ in "pq")
    optimizer = Optimizer([{"params": [p]}, {"params": [q], "lr": 0.5}], SGD(lr=0.1))
    for lr in (0.1, 0.2):
        optimizer.param_groups[0]["lr"] = lr
        for x in (p, q):
            x.grad = torch.ones(1)
        optimizer.step()
    assert [p.item(), q.item()] == [pytest.approx(0.7), 0.0]


def test_hooks_run_once_around_torchs_step() -> None:
    p = torch.ones(1, requires_grad=True)
    optimizer, seen = optim.Adam([p]), []
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    everywhere = register_optimizer_step_pre_hook(lambda *_: seen.append("any"))
    p.grad = torch.ones(1)
    optimizer.step()
    everywhere.remove()
    assert sorted(seen) == ["after", "any", "before"]


def test_a_state_that_is_cleared_begins_anew() -> None:
    p = torch.ones(3, requires_grad=True)
    optimizer = optim.Adagrad([p], lr=0.1)
    for _ in range(2):
        p.grad = torch.full((3,), 3.0)
        optimizer.step()
        optimizer.state = defaultdict(dict)
    p.grad = torch.ones(3)
    optimizer.step()
    assert optimizer.state[p]["sum"].tolist() == [1.0] * 3


def test_decay_stays_decoupled_after_adams_state_is_loaded() -> None:
    def trained(executor: str) -> torch.Tensor:
        p = torch.ones(3, requires_grad=True)
        adam = torch.optim.Adam([p], lr=0.1, weight_decay=0.5)
        p.grad = torch.ones(3)
        adam.step()
        optimizer = optim.AdamW([p], lr=0.1, executor=executor)
        optimizer.load_state_dict(adam.state_dict())
        for _ in range(3):
            p.grad = torch.ones(3)
            optimizer.step()
        return p.detach()

    torch.testing.assert_close(trained("auto"), trained("reference"))


def test_a_value_that_torch_lacks_ends_torchs_steps() -> None:
    def trained(executor: str) -> torch.Tensor:
        p = torch.ones(3, requires_grad=True)
        optimizer = optim.Adagrad([p], lr=0.1, executor=executor)
        for inside in (False, True):
            optimizer.param_groups[0]["eps_inside_root"] = inside
            optimizer.param_groups[0]["eps"] = 1.0
            p.grad = torch.ones(3)
            optimizer.step()
        return p.detach()

    torch.testing.assert_close(trained("auto"), trained("reference"))


def test_a_list_in_a_group_is_taken_as_a_tuple() -> None:
    p = torch.eye(3).requires_grad_()
    p.grad = torch.eye(3)
    for executor in ("auto", "reference"):
        optim.Muon([p], ns_coefficients=[3.4, -4.7, 2.0], executor=executor).step()
