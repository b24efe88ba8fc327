"""An optimizer of a rule that routes: one parameter group for each rule, in torch's whole interface."""

import copy
import io
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, StepLR

import fallline as fl
from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.rules import SGD, SOAP, Adam, AdamW, Momentum, Muon
from fallline.wrappers import L1, Average, Clip, Noise, Route


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 2))


def train(optimizer: Any, net: nn.Module, steps: int, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        x = torch.randn(6, 1, 4, 4, generator=generator)

        def closure(x: torch.Tensor = x) -> torch.Tensor:
            optimizer.zero_grad()
            loss: torch.Tensor = (net(x) ** 2).mean()
            loss.backward()
            return loss

        optimizer.step(closure)


def routed() -> Route:
    return Route(Muon(lr=0.02, bfloat16=False), others=AdamW(lr=3e-4))


def weights(net: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def test_each_rule_has_a_group_with_a_rate_of_its_own() -> None:
    optimizer = Optimizer(model().named_parameters(), routed())
    assert [group["param_names"] for group in optimizer.param_groups] == [
        ["0.weight", "2.weight", "4.weight"],
        ["0.bias", "2.bias", "4.bias"],
    ]
    assert [group["lr"] for group in optimizer.param_groups] == [0.02, 3e-4]
    assert "momentum" not in optimizer.param_groups[1]
    assert optimizer.param_groups[1]["betas"] == (0.9, 0.999)


def test_groups_train_as_two_optimizers_do() -> None:
    net, other = model(), model()
    train(Optimizer(net.parameters(), routed()), net, 5)
    big = [p for p in other.parameters() if p.dim() > 1]
    small = [p for p in other.parameters() if p.dim() < 2]

    class Both:
        parts = (Optimizer(big, routed().rule), Optimizer(small, routed().others))

        def zero_grad(self) -> None:
            other.zero_grad()

        def step(self, closure: Any) -> None:
            closure()
            for part in self.parts:
                part.step()

    train(Both(), other, 5)
    torch.testing.assert_close(weights(net), weights(other), rtol=1e-12, atol=1e-13)


def test_one_norm_over_both_rules() -> None:
    net, other = model(), model()
    train(Optimizer(net.parameters(), Clip(Route(Momentum(lr=0.1), others=SGD(lr=0.2)), global_norm=0.1)), net, 5)
    groups = [
        {"params": [p for p in other.parameters() if p.dim() > 1]},
        {"params": [p for p in other.parameters() if p.dim() < 2], "lr": 0.2, "momentum": 0.0},
    ]
    plain = torch.optim.SGD(groups, lr=0.1, momentum=0.9)

    class Clipped:
        zero_grad = plain.zero_grad

        def step(self, closure: Any) -> None:
            closure()
            norm = torch.cat([p.grad.flatten() for p in other.parameters() if p.grad is not None]).norm()
            for p in other.parameters():
                assert p.grad is not None
                p.grad *= min(1.0, 0.1 / float(norm))
            plain.step()

    train(Clipped(), other, 5)
    torch.testing.assert_close(weights(net), weights(other), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("schedule", [lambda o: StepLR(o, 1, gamma=0.5), lambda o: LambdaLR(o, lambda step: 0.5**step)])
def test_schedulers_scale_both(schedule: Any) -> None:
    net = model()
    optimizer = Optimizer(net.parameters(), routed())
    scheduler = schedule(optimizer)
    train(optimizer, net, 1)
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 1.5e-4]


@pytest.mark.parametrize("rule", [routed(), Average(routed()), Route(SOAP(), others=Noise(Adam()))])
def test_a_saved_training_goes_on_bit_for_bit(rule: fl.rules.Rule) -> None:
    net = model()
    optimizer = Optimizer(net.named_parameters(), rule)
    train(optimizer, net, 3)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    again = copy.deepcopy(net)
    resumed = Optimizer(again.named_parameters(), rule)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    train(optimizer, net, 3, seed=1)
    train(resumed, again, 3, seed=1)
    assert torch.equal(weights(net), weights(again))


def test_anothers_state_is_refused() -> None:
    saved = Optimizer(model().named_parameters(), AdamW()).state_dict()
    with pytest.raises(InputError, match="1 parameter group, the optimizer 2"):
        Optimizer(model().named_parameters(), routed()).load_state_dict(saved)


def test_given_groups_are_split_with_their_values() -> None:
    net = model()
    groups = [
        {"params": list(net[0].named_parameters()), "lr": 0.5, "others.lr": 0.25, "l1.strength": 0.125},
        {"params": list(net[2].named_parameters())},
    ]
    optimizer = Optimizer(groups, L1(Route(Momentum(lr=0.1), others=Adam(lr=0.2))))
    assert [(g["route"], g["lr"], g["l1.strength"]) for g in optimizer.param_groups] == [
        ("rule", 0.5, 0.125),
        ("others", 0.25, 0.125),
        ("rule", 0.1, 1e-5),
        ("others", 0.2, 1e-5),
    ]
    optimizer.add_param_group({"params": [("late", torch.zeros(2, 2, requires_grad=True))]})
    assert [group["route"] for group in optimizer.param_groups][4:] == ["rule"]
    for wrong in ({"others.beta1": 0.5}, {"route": "others"}, {"others.momentum": 0.5}):
        with pytest.raises(InputError, match="In parameter group 5: .* is no hyperparameter"):
            optimizer.add_param_group({"params": [("wrong", torch.zeros(3, requires_grad=True))], **wrong})
    assert len(optimizer.param_groups) == 5


def test_weights_only_reaches_the_penalties_of_both() -> None:
    rule = Route(Muon(), others=AdamW())
    optimizer = Optimizer(fl.optim.weights_only(model(), rule), rule)
    decays = {(group["route"], group["weight_decay"]) for group in optimizer.param_groups}
    assert decays == {("rule", 0.1), ("others", 0.0)}


def test_which_needs_names() -> None:
    def heads(name: str, p: torch.Tensor) -> bool:
        return p.dim() > 1 and not name.startswith("4.")

    rule = Route(Muon(), others=AdamW(), which=heads)
    optimizer = Optimizer(model().named_parameters(), rule)
    assert optimizer.param_groups[0]["param_names"] == ["0.weight", "2.weight"]
    with pytest.raises(InputError, match=r"In parameter group 0: Route\(which=\.\.\.\) chooses by name"):
        Optimizer(model().parameters(), rule)
    vectors = Route(Muon(), others=AdamW(), which=lambda name, p: True)
    with pytest.raises(InputError, match=r"parameter '0\.bias' has shape \(2,\), and Muon takes tensors of 2 or more"):
        Optimizer(model().named_parameters(), vectors)


def test_a_rule_alone_refuses_what_it_does_not_take_by_name() -> None:
    said = (
        r"parameter '0\.bias' has shape \(2,\), and Muon takes .* Give it to another rule: fallline\.wrappers\.Route\("
    )
    with pytest.raises(InputError, match=said):
        Optimizer(model().named_parameters(), Clip(Muon(), norm=1.0))
    with pytest.raises(InputError, match="parameter 1 of group 0"):
        fl.optim.Muon(model().parameters())
    fl.optim.Muon([p for p in model().parameters() if p.dim() > 1])


def test_a_search_for_a_rate_leaves_that_of_the_others() -> None:
    from fallline.training.repeatable import _ratios

    assert _ratios(Optimizer(model().parameters(), routed())) == [1.0, None]
    assert _ratios(torch.optim.SGD([{"params": [torch.zeros(1)], "lr": 0.1}])) == [1.0]


def test_a_schedule_that_sets_rates_takes_one_for_each_rule() -> None:
    optimizer = Optimizer(model().parameters(), Route(Muon(lr=0.02), others=AdamW(lr=3e-4)))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [0.02, 3e-4], total_steps=10, cycle_momentum=False)
    for _ in range(2):  # three tenths of the steps rise, the first of which is before any
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.02, rel=1e-12)
    assert optimizer.param_groups[1]["lr"] == pytest.approx(3e-4, rel=1e-12)
