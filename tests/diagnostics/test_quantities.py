import math

import pytest
import torch
from torch import nn

from fallline.diagnostics import (
    cosine,
    count_nonfinite,
    dead_units,
    gradient_norms,
    layers,
    norm,
    saturated,
    update_ratio,
    weight_norms,
)
from fallline.errors import InputError


class Root(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.body = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1, bias=False))

    def forward(self, x):
        return self.scale * self.body(x)


def test_layers_are_modules_with_parameters_of_their_own():
    model = Root()
    found = layers(model)
    assert list(found) == ["Root", "body.0", "body.2"]
    assert [p.shape for p in found["body.0"]] == [(3, 2), (3,)]
    with pytest.raises(InputError, match="Tanh has no parameters"):
        layers(nn.Tanh())
    with pytest.raises(InputError, match="'0' has no weights yet"):
        layers(nn.Sequential(nn.LazyLinear(3)))
    with pytest.raises(InputError, match="must be an nn.Module; got str"):
        layers("model")


def test_layer_norms_are_those_of_autograd():
    torch.manual_seed(0)
    model, x = Root(), torch.randn(5, 2)
    loss = model(x).square().mean()
    by_hand = torch.autograd.grad(loss, [model.body[0].weight, model.body[0].bias], retain_graph=True)
    loss.backward()
    assert gradient_norms(model)["body.0"] == pytest.approx(
        math.sqrt(sum(float((g * g).sum()) for g in by_hand)), rel=1e-12
    )
    assert weight_norms(model)["body.2"] == pytest.approx(
        math.sqrt(sum(w * w for w in model.body[2].weight[0].tolist())), rel=1e-12
    )
    assert weight_norms(model)["Root"] == 1.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("size", [2.0**-120, 2.0**-50, 1.0, 2.0**100])
def test_norms_and_cosines_beyond_the_squares_of_float32(dtype, size):
    x, y = torch.full((4,), size, dtype=dtype), torch.tensor([size, 0, 0, 0], dtype=dtype)
    assert float(norm([x])) == pytest.approx(2 * size, rel=1e-12)
    assert float(cosine([x], [y])) == pytest.approx(0.5, rel=1e-6)


def test_norms_of_other_tensors():
    assert math.isnan(norm([]))
    assert float(norm([torch.tensor([[0.0, 3.0], [4.0, 0.0]]).to_sparse()])) == 5
    assert float(norm([torch.tensor([3 + 4j])])) == 5
    assert float(norm([torch.zeros(3)])) == 0
    assert math.isnan(norm([torch.tensor([1.0, torch.nan])]))
    assert math.isinf(norm([torch.tensor([1.0, -torch.inf])]))


def test_ratio_and_cosine_over_all_tensors_of_a_layer():
    update, weights = [torch.tensor([0.6]), torch.tensor([[0.8]])], [torch.tensor([0.0]), torch.tensor([[10.0]])]
    assert float(update_ratio(update, weights)) == pytest.approx(0.1, rel=1e-12)
    assert float(cosine(update, weights)) == pytest.approx(0.8, rel=1e-12)
    assert float(cosine(update, [-u for u in update])) == pytest.approx(-1, rel=1e-12)
    assert math.isnan(cosine(update, [torch.zeros(1), torch.zeros(1, 1)]))
    assert math.isnan(cosine([], []))
    assert math.isinf(update_ratio(update, [torch.zeros(1)]))


def test_dead_units_of_a_convolution_are_dead_at_every_place_of_every_row():
    output = torch.zeros(2, 3, 4, 4)
    output[1, 2, 3, 3] = 1.0
    output[0, 0, 0, 0] = torch.nan
    assert dead_units(output).tolist() == [False, True, False]
    assert dead_units(torch.tensor([[[0.0, 1.0]], [[0.0, 0.0]]]), axis=2).tolist() == [True, False]


def test_saturated_is_within_a_hundredth_of_the_range():
    x = torch.tensor([0.0099, 0.0101, 0.9899, 0.9901])
    assert saturated(x, 0, 1).tolist() == [True, False, False, True]
    assert saturated(2 * x - 1, -1, 1).tolist() == [True, False, False, True]


def test_nonfinite_values_are_counted_over_all_tensors():
    assert count_nonfinite([torch.tensor([torch.nan, 1.0]), torch.tensor([[torch.inf], [-torch.inf]])]) == 3
    assert count_nonfinite([]) == 0
