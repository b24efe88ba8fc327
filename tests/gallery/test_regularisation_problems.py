"""The problems behind the entries on regularisation, against values worked by hand."""

import math

import pytest
import torch
from torch import nn

from fallline.gallery.polynomial_problem import polynomial
from fallline.gallery.weights_seen import bias_norm, near_zeros, penalised_digits, penalised_loss, weight_norm, zeros


def model():
    made = nn.Sequential(nn.Linear(2, 1, bias=True)).double()
    with torch.no_grad():
        made[0].weight.copy_(torch.tensor([[3.0, -4.0]]))
        made[0].bias.fill_(7.0)
    return made


def test_penalties_are_of_the_weights_alone():
    batch = (torch.zeros(1, 2).double(), torch.tensor([0]))
    assert penalised_loss(model(), batch).item() == 0.0
    assert penalised_loss(model(), batch, l1_term=0.5).item() == 3.5
    assert penalised_loss(model(), batch, l2_term=0.1).item() == pytest.approx(0.05 * 25, rel=1e-15)


def test_metrics_look_at_weights_and_biases():
    made = model()
    assert weight_norm(made, None).item() == 5.0
    assert bias_norm(made, None).item() == 7.0
    with torch.no_grad():
        made[0].weight.copy_(torch.tensor([[0.0, -9e-4]]))
    assert (zeros(made, None).item(), near_zeros(made, None).item()) == (0.5, 1.0)


def test_penalties_are_off_in_evaluations():
    problem = penalised_digits()
    assert problem.loss_factors({"l1_term": 0.5, "l2_term": 0.0}) == {"l1_term": 0.5, "l2_term": 0.0}
    assert problem.all_factors() == {"l1_term": 0.0, "l2_term": 0.0}


def test_the_polynomial_is_the_published_one_with_noise_of_a_tenth():
    features, y = polynomial(0).train
    x = features[:, 1:2]
    assert features.shape == (100, 20)
    assert torch.equal(features[:, :1], torch.ones(100, 1, dtype=torch.float64))
    assert torch.allclose(features[:, 7:8], x**7 / math.factorial(7), rtol=1e-12)
    noise = y - (5 + 1.2 * x - 3.4 * x**2 / 2 + 5.6 * x**3 / 6)
    assert float(noise.std()) == pytest.approx(0.1, abs=0.03)
    assert not torch.equal(polynomial(1).train[1], y)


def test_a_polynomial_of_a_degree_sees_its_powers_alone():
    features = torch.ones(3, 20, dtype=torch.float64)
    made = polynomial(0).make_model({"degree": 3})
    nn.init.ones_(made.linear.weight)
    assert made(features).tolist() == [[4.0]] * 3
