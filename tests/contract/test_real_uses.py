"""Trainings as people write them: scaled and autocast, clipped and scheduled, with closures."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fallline import optim
from fallline.optim import Optimizer
from fallline.rules import Rule
from tests.contract.trained import RULES, copies, drawn, parameters, same, train

INPUTS, TARGETS = 6, 2


def network() -> nn.Sequential:
    """A network whose parameters are all matrices, which every rule takes."""
    made = nn.Sequential(nn.Linear(INPUTS, 5, bias=False), nn.Tanh(), nn.Linear(5, TARGETS, bias=False)).float()
    with torch.no_grad():
        for i, p in enumerate(made.parameters()):
            p.copy_(0.3 * drawn("weights", i, 0, tuple(p.shape), torch.float32))
    return made


def batch(step: int) -> tuple[Tensor, Tensor]:
    x = drawn("x", 0, step, (16, INPUTS), torch.float32)
    return x, torch.stack([x.sum(1), x[:, 0] - x[:, 1]], dim=1)


def loss_of(model: nn.Module, step: int) -> Tensor:
    x, y = batch(step)
    return nn.functional.mse_loss(model(x).float(), y)


def weights(model: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in model.parameters()]


@RULES
def test_scaled_gradients_under_autocast(rule: Rule) -> None:
    model = network()
    optimizer = Optimizer(model.named_parameters(), rule, executor="foreach")
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    before = weights(model)
    for step in range(4):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss_of(model, step)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
    assert not same(weights(model), before)
    assert all(p.isfinite().all() and p.dtype == torch.float32 for p in model.parameters())
    assert all(state["step"].item() == 4 for state in optimizer.state.values())


@RULES
def test_a_scaler_divides_what_it_multiplied(rule: Rule) -> None:
    plain, scaled = network(), network()
    one, other = Optimizer(plain.parameters(), rule), Optimizer(scaled.parameters(), rule)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for step in range(3):
        one.zero_grad()
        other.zero_grad()
        loss_of(plain, step).backward()
        one.step()
        scaler.scale(loss_of(scaled, step)).backward()
        scaler.step(other)
        scaler.update()
    # A power of 2 changes no digit.
    assert same(weights(plain), weights(scaled))


@RULES
def test_a_step_with_infinite_gradients_is_skipped(rule: Rule) -> None:
    params = parameters(torch.float32)
    optimizer = Optimizer(params, rule)
    train(optimizer, params, range(2))
    before, state = copies(params), repr(optimizer.state_dict())
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    scaler.scale(sum((p.sum() for p in params), torch.tensor(0.0))).backward()
    assert params[0].grad is not None
    params[0].grad[0, 0] = torch.inf
    scaler.step(optimizer)
    scaler.update()
    assert same(params, before)
    assert repr(optimizer.state_dict()) == state
    assert scaler.get_scale() == 2.0


@pytest.mark.parametrize("fused", [False, True])
def test_scaler_and_hint_together_equal_torch(fused: bool) -> None:
    def trained(make: Any) -> list[Tensor]:
        model = network()
        optimizer = make(model.parameters(), lr=0.01, fused=fused)
        scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
        for step in range(3):
            optimizer.zero_grad()
            scaler.scale(loss_of(model, step)).backward()
            scaler.step(optimizer)
            scaler.update()
        return weights(model)

    for p, q in zip(trained(optim.Adam), trained(torch.optim.Adam), strict=True):
        assert torch.allclose(p, q, rtol=1e-5, atol=1e-7)


@RULES
def test_a_closure_a_schedule_and_clipping_lower_the_loss(rule: Rule) -> None:
    model = network()
    optimizer = Optimizer(model.parameters(), rule.replace({"lr": 3 * rule.hyperparameters()["lr"]}))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
    first = loss_of(model, 0).item()

    def closure_at(step: int) -> Callable[[], Tensor]:
        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = loss_of(model, step % 3)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            return loss

        return closure

    for step in range(30):
        optimizer.step(closure_at(step))
        schedule.step()
    assert loss_of(model, 0).item() < first
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_clipping_and_a_schedule_equal_torch(name: str) -> None:
    def trained(make: Any) -> list[Tensor]:
        model = network()
        optimizer = make(model.parameters(), lr=0.05)
        schedule = torch.optim.lr_scheduler.SequentialLR(
            optimizer,
            [
                torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=3),
                torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=7),
            ],
            milestones=[3],
        )
        for step in range(10):
            optimizer.zero_grad()
            loss_of(model, step).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            schedule.step()
        return weights(model)

    for p, q in zip(trained(getattr(optim, name)), trained(getattr(torch.optim, name)), strict=True):
        assert torch.allclose(p, q, rtol=1e-4, atol=1e-6)
