"""The evaluation point: lent, put back bit for bit, and free where a rule has none."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

from fallline.errors import InputError
from fallline.optim import Adam, Optimizer
from fallline.rules import SGD
from fallline.rules import Adam as AdamRule
from fallline.wrappers import Average, Clip, Lookahead, Route

X = torch.randn(24, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def network() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2), nn.BatchNorm1d(2))


def trained(rule: Any, steps: int = 5) -> tuple[nn.Sequential, Optimizer]:
    model = network()
    optimizer = Optimizer(model.parameters(), rule)
    for step in range(steps):
        optimizer.zero_grad()
        model(X[4 * step : 4 * step + 4]).square().mean().backward()
        optimizer.step()
    return model, optimizer


def bits(model: nn.Module) -> dict[str, Any]:
    return {name: x.clone() for name, x in model.state_dict().items()}


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return all(torch.equal(x, b[name]) for name, x in a.items())


def test_weights_are_the_average_inside_and_put_back_afterwards() -> None:
    model, optimizer = trained(Average(AdamRule(lr=0.1), decay=0.9))
    before = bits(model)
    with optimizer.evaluating():
        for p in model.parameters():
            assert torch.equal(p, optimizer.state[p]["average.weights"])
        assert not same(before, bits(model))
    assert same(before, bits(model))


def test_training_goes_on_as_if_nothing_had_been_evaluated() -> None:
    (model, optimizer), (other, apart) = trained(Average(AdamRule())), trained(Average(AdamRule()))
    for _ in range(3):
        with optimizer.evaluating(model, [X]):
            model.eval()(X)
        model.train()
        for m, o in ((model, optimizer), (other, apart)):
            torch.manual_seed(0)
            o.zero_grad()
            m(X).square().mean().backward()
            o.step()
    assert same(bits(model), bits(other))


@pytest.mark.parametrize("rule", [AdamRule(), Clip(AdamRule(), norm=1.0)])
def test_a_rule_without_another_point_pays_nothing(rule: Any) -> None:
    model, optimizer = trained(rule)
    versions = [x._version for x in model.state_dict().values()]

    def unread() -> Any:
        raise AssertionError("read")
        yield

    with optimizer.evaluating(model, unread()):
        model.eval()
    assert [x._version for x in model.state_dict().values()] == versions


def test_the_face_of_a_rule_has_it_too() -> None:
    p = torch.ones(1, requires_grad=True)
    with Adam([p]).evaluating():
        assert p.item() == 1.0


def test_each_groups_values_are_its_own_and_what_was_never_updated_stays() -> None:
    p, q, r = (torch.zeros(1, requires_grad=True) for _ in range(3))
    groups: list[dict[str, Any]] = [{"params": [p, r]}, {"params": [q], "average.decay": 0.0}]
    optimizer = Optimizer(groups, Average(SGD(lr=1.0), decay=0.5))
    for _ in range(2):
        p.grad = q.grad = torch.full((1,), -3.0)
        optimizer.step()
    with optimizer.evaluating():
        assert [p.item(), q.item(), r.item()] == [5.0, 6.0, 0.0]


def test_statistics_are_those_of_update_bn_and_put_back() -> None:
    model, optimizer = trained(Average(AdamRule(lr=0.1), decay=0.9))
    model[2].p = 0.0
    before, modes = bits(model), [m.training for m in model.modules()]
    momenta = model[1].momentum, model[4].momentum
    batches = [(X[:8], "target"), [X[8:12]], (X[12:],)]
    right = AveragedModel(copy.deepcopy(model))
    with torch.no_grad():
        for ours, theirs in zip(model.parameters(), right.module.parameters(), strict=True):
            theirs.copy_(optimizer.state[ours]["average.weights"])
    update_bn(batches, right)
    state = torch.get_rng_state()
    with optimizer.evaluating(model, batches):
        assert same(bits(model), bits(right.module))
        assert [m.training for m in model.modules()] == modes
        assert (model[1].momentum, model[4].momentum) == momenta
    assert same(before, bits(model))
    assert torch.equal(torch.get_rng_state(), state)


def test_all_is_put_back_where_something_fails() -> None:
    model, optimizer = trained(Average(AdamRule(lr=0.1)))
    before = bits(model)

    def broken() -> Any:
        yield X
        raise RuntimeError("no more data")

    with pytest.raises(RuntimeError, match="no more data"), optimizer.evaluating(model, broken()):
        pass
    with pytest.raises(RuntimeError, match="in the block"), optimizer.evaluating(model, [X]):
        raise RuntimeError("in the block")
    assert same(before, bits(model))
    assert model.training
    assert model[1].momentum == 0.1
    optimizer.step()


def test_a_step_inside_is_refused_and_changes_nothing() -> None:
    model, optimizer = trained(Lookahead(AdamRule()))
    before = copy.deepcopy(optimizer.state_dict())
    with optimizer.evaluating():
        inside = bits(model)
        for closure in (None, lambda: pytest.fail("called")):
            with pytest.raises(InputError, match=r"step\(\) inside evaluating\(\)"):
                optimizer.step(closure)
        assert same(inside, bits(model))
    after = optimizer.state_dict()
    assert all(same(entries, after["state"][i]) for i, entries in before["state"].items())
    optimizer.step()


def test_wrong_uses_are_refused() -> None:
    model, optimizer = trained(Average(AdamRule()))
    with pytest.raises(InputError, match="a model and batches, or neither"):
        optimizer.evaluating(model)
    with optimizer.evaluating(), pytest.raises(InputError, match=r"inside evaluating\(\)"), optimizer.evaluating():
        pass
    with pytest.raises(InputError, match="there is no batch"), optimizer.evaluating(model, []):
        pass
    with optimizer.evaluating(nn.Linear(1, 1), []):
        pass


def test_parameters_of_a_route_are_averaged_under_both_rules() -> None:
    model = network()
    rule = Average(Route(SGD(lr=0.1), others=AdamRule(lr=0.1)), decay=0.5)
    optimizer = Optimizer(model.named_parameters(), rule)
    path = []
    for step in range(2):
        optimizer.zero_grad()
        model(X[4 * step : 4 * step + 4]).square().mean().backward()
        optimizer.step()
        path.append([p.detach().clone() for p in model.parameters()])
    with optimizer.evaluating():
        for p, first, second in zip(model.parameters(), *path, strict=True):
            assert torch.allclose(p, (0.5 * first + second) / 1.5, rtol=1e-14, atol=1e-16)


def test_without_with_nothing_happens_and_a_warning_says_so() -> None:
    model, optimizer = trained(Average(AdamRule()))
    before = bits(model)
    with pytest.warns(RuntimeWarning, match="evaluating\\(\\) without `with` changes nothing. Write `with"):
        optimizer.evaluating()
    assert same(before, bits(model))


def test_what_was_made_once_may_be_entered_again() -> None:
    model, optimizer = trained(Average(AdamRule(lr=0.1)))
    before, lending = bits(model), optimizer.evaluating()
    for _ in range(2):
        with lending:
            assert not same(before, bits(model))
        assert same(before, bits(model))
