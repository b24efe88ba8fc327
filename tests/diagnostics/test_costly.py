"""The noise scale and the sharpness."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from fallline.diagnostics import noise_scale, sharpness
from fallline.errors import InputError


def squared_error(model, batch):
    return (model(batch["x"]) - batch["y"]).square().mean()


def batch(rows=12):
    stream = torch.Generator().manual_seed(3)
    return {"x": torch.randn(rows, 4, generator=stream), "y": 2 + torch.randn(rows, 1, generator=stream), "name": "b"}


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))


def row_gradients(model, batch):
    rows = []
    for x, y in zip(batch["x"], batch["y"], strict=True):
        gradient = torch.autograd.grad((model(x[None]) - y[None]).square().mean(), list(model.parameters()))
        rows.append(torch.cat([g.flatten() for g in gradient]))
    return torch.stack(rows)


def test_noise_scale_over_single_rows_is_the_variance_of_row_gradients():
    model = network()
    rows = row_gradients(model, batch())
    found = noise_scale(model, squared_error, batch(), parts=12)
    variance = rows.var(dim=0).sum()
    signal = rows.mean(dim=0).square().sum() - variance / 12
    assert found.variance == pytest.approx(float(variance), rel=1e-12)
    assert found.signal == pytest.approx(float(signal), rel=1e-12)
    assert found.value == found.variance / found.signal


def test_noise_scale_of_two_batch_sizes():
    model = network()
    rows = row_gradients(model, batch(13))[:12].reshape(4, 3, -1).mean(dim=1)
    small, big = rows.square().sum(dim=1).mean(), rows.mean(dim=0).square().sum()
    found = noise_scale(model, squared_error, batch(13), parts=4)
    assert found.variance == pytest.approx(float((small - big) / (1 / 3 - 1 / 12)), rel=1e-12)
    assert found.signal == pytest.approx(float((12 * big - 3 * small) / 9), rel=1e-12)


def test_noise_scale_of_equal_rows_is_zero_and_of_opposite_ones_infinite():
    model = nn.Linear(1, 1, bias=False)

    def product(model, batch):
        return (model(torch.ones_like(batch)) * batch).mean()

    assert noise_scale(model, product, torch.full((4, 1), 2.0), parts=2).value == 0
    assert noise_scale(model, product, torch.tensor([[1.0], [-1.0]]), parts=2).value == torch.inf


@pytest.mark.parametrize(
    ("spectrum", "largest"),
    [
        ([1, 2, 7], 7),
        ([-9, 2, 3], 3),
        ([-4, 4, 1], 4),
        ([-3, -2, -1], -1),
        ([0, 0, 0], 0),
        ([5, 5, 5], 5),
        ([-100, 0.01, 0.5], 0.5),
    ],
)
def test_sharpness_is_the_largest_eigenvalue_of_a_quadratic(spectrum, largest):
    torch.manual_seed(0)
    basis = torch.linalg.qr(torch.randn(3, 3)).Q
    hessian = basis @ torch.diag(torch.tensor(spectrum, dtype=torch.float64)) @ basis.T
    model = nn.Linear(3, 1, bias=False)

    def quadratic(model, hessian):
        w = model.weight[0]
        return w @ hessian @ w / 2 + w.sum()

    found = sharpness(model, quadratic, hessian, iterations=400, tolerance=1e-6)
    assert found.eigenvalue == pytest.approx(largest, abs=1e-6)
    assert found.residual <= 1e-6 or largest == 0
    assert sharpness(model, quadratic, hessian, iterations=400, tolerance=1e-6) == found


def test_sharpness_far_below_a_negative_eigenvalue_is_found_with_the_usual_settings():
    model = nn.Linear(3, 1, bias=False)
    found = sharpness(model, lambda model, h: (h * model.weight[0] ** 2).sum() / 2, torch.tensor([-100, 0.01, 0.5]))
    assert found.eigenvalue == pytest.approx(0.5, rel=1e-3)
    assert found.residual < 1e-3


def test_sharpness_of_one_weight():
    model = nn.Linear(1, 1, bias=False)
    assert sharpness(model, lambda model, h: h * model.weight.sum() ** 2, torch.tensor(3.5)).eigenvalue == 7


def test_sharpness_that_was_not_reached_is_nan():
    model = nn.Linear(400, 1, bias=False)
    crowded = torch.linspace(0.999, 1, 400)
    x = torch.full((1, 400), torch.nan)
    found = sharpness(model, lambda model, h: (h * model.weight[0] ** 2).sum() / 2, crowded, 1, tolerance=1e-12)
    assert torch.tensor(found.eigenvalue).isnan()
    assert found.residual == torch.inf
    assert torch.tensor(sharpness(model, lambda m, x: m(x).square().sum(), x).eigenvalue).isnan()


def test_sharpness_of_a_hessian_of_low_rank_is_that_of_its_small_side():
    torch.manual_seed(0)
    model, x = nn.Linear(300, 1, bias=False), torch.randn(3, 300)
    found = sharpness(model, lambda model, x: model(x).square().mean(), x)
    assert found.eigenvalue == pytest.approx(float(torch.linalg.eigvalsh(2 * x @ x.T / 3)[-1]), rel=1e-3)
    assert sharpness(model, lambda model, x: model(x).square().mean(), x) == found


def test_sharpness_of_a_network_is_that_of_its_full_hessian():
    model, data = network(), batch()
    names, values = zip(*model.named_parameters(), strict=True)

    def loss(flat):
        parts = flat.split([v.numel() for v in values])
        weights = {n: part.view_as(v) for n, v, part in zip(names, values, parts, strict=True)}
        return (torch.func.functional_call(model, weights, (data["x"],)) - data["y"]).square().mean()

    hessian = torch.autograd.functional.hessian(loss, torch.cat([v.detach().flatten() for v in values]))
    found = sharpness(model, squared_error, data)
    assert found.eigenvalue == pytest.approx(float(torch.linalg.eigvalsh(hessian)[-1]), rel=1e-3)


def test_a_loss_that_is_linear_in_the_weights_has_no_curvature():
    assert sharpness(nn.Linear(2, 1), lambda model, x: model(x).mean(), torch.ones(3, 2)).eigenvalue == 0


@pytest.mark.parametrize("quantity", [noise_scale, sharpness])
def test_the_model_is_left_as_it_was(quantity):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 1))
    squared_error(model, batch()).backward()
    model[1].eval()

    def meddling(model, batch):
        loss = squared_error(model, batch)
        model.eval()
        model[1].running_mean = model[1].running_mean + 1
        return loss

    gradients = [p.grad for p in model.parameters()]
    kept = [g.clone() for g in gradients]
    buffers = [(b, b.clone()) for b in model.buffers()]
    modes = [module.training for module in model.modules()]
    chance = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    with torch.no_grad():
        assert quantity(model, meddling, batch(16)) == quantity(model, meddling, batch(16))
    assert all(p.grad is g and torch.equal(g, k) for p, g, k in zip(model.parameters(), gradients, kept, strict=True))
    assert all(b is now and torch.equal(now, k) for (b, k), now in zip(buffers, model.buffers(), strict=True))
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), chance[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == chance[1:]


@pytest.mark.parametrize("quantity", [noise_scale, sharpness])
def test_dropout_is_keyed_and_not_by_the_global_generator(quantity):
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.Linear(3, 1))
    torch.manual_seed(1)
    found = quantity(model, squared_error, batch())
    torch.manual_seed(2)
    assert quantity(model, squared_error, batch()) == found


def test_attention_has_a_sharpness():
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    found = sharpness(model, lambda model, x: model(x).square().mean(dim=1).sin().mean(), torch.randn(4, 5, 8))
    assert found.products > 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: noise_scale(network(), squared_error, batch(), parts=1), "2 parts or more"),
        (lambda: noise_scale(network(), squared_error, batch(3), parts=4), "got 3 rows, parts=4"),
        (lambda: noise_scale(network(), squared_error, {"x": torch.ones(3), "y": torch.ones(4)}), r"got \[3, 4\]"),
        (lambda: noise_scale(network(), squared_error, "rows"), "no tensor with rows"),
        (lambda: sharpness(network(), lambda model, b: model(b["x"]), batch()), r"0-d tensor.*shape \(12, 1\)"),
        (lambda: sharpness(network(), lambda model, b: 1.0, batch()), "got float"),
        (lambda: sharpness(network(), lambda model, b: torch.tensor(1.0), batch()), "without a gradient"),
        (lambda: sharpness(network(), squared_error, batch(), iterations=0), "iterations must be 1 or more"),
        (lambda: sharpness(network().requires_grad_(False), squared_error, batch()), "No parameter of Sequential"),
    ],
)
def test_bad_input_is_said(call, message):
    with pytest.raises(InputError, match=message):
        call()
