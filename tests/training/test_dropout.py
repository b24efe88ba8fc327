"""Keyed dropout: its definition, and masks that do not depend on the rate."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn.functional import dropout

from fallline.training.dropout import KeyedDropout, has_dropout

X = torch.randn(50, 4, generator=torch.Generator().manual_seed(2)) + 3


def uniform(shape, call, device):
    return torch.rand(shape, generator=torch.Generator().manual_seed(call), device=device)


def test_outputs_are_zero_or_the_input_over_what_is_kept():
    with KeyedDropout(uniform):
        out = nn.Dropout(0.5)(X)
    expected = torch.rand(X.shape, generator=torch.Generator().manual_seed(1)) >= 0.5
    assert torch.equal(out, torch.where(expected, 2 * X, 0.0))


def test_a_higher_rate_drops_all_that_a_lower_one_does():
    masks = []
    for rate in (0.2, 0.5, 0.8):
        with KeyedDropout(uniform):
            masks.append(nn.Dropout(rate)(X) == 0)
    assert all(bool((more | ~less).all()) for less, more in pairwise(masks))
    assert [mask.float().mean().item() for mask in masks] == pytest.approx([0.2, 0.5, 0.8], abs=0.06)


def test_every_call_draws_anew_and_the_next_pass_the_same():
    with KeyedDropout(uniform):
        first, second = dropout(X, 0.5), dropout(X, 0.5)
    with KeyedDropout(uniform):
        again = dropout(X, 0.5)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("module", "shape"), [(nn.Dropout1d, (9, 6, 3)), (nn.Dropout2d, (9, 6, 3, 2)), (nn.Dropout3d, (9, 6, 3, 2, 2))]
)
def test_whole_channels_are_dropped(module, shape):
    with KeyedDropout(uniform):
        out = module(0.5)(torch.ones(shape)).flatten(2)
    assert bool((out == out[:, :, :1]).all())
    assert set(out.unique().tolist()) == {0.0, 2.0}


def test_evaluation_is_unchanged_and_in_place_writes():
    with KeyedDropout(uniform):
        assert torch.equal(nn.Dropout(0.5).eval()(X), X)
        own = X.clone()
        assert nn.Dropout(0.5, inplace=True)(own) is own
    assert bool((own == 0).any())


def test_rate_one_drops_all_and_gives_no_nan():
    x = X.clone().requires_grad_()
    with KeyedDropout(uniform):
        out = dropout(x, 1.0)
    out.sum().backward()
    assert torch.equal(out, torch.zeros_like(X))
    assert torch.equal(x.grad, torch.zeros_like(X))


def test_only_models_with_dropout_pay_for_it():
    assert has_dropout(nn.Sequential(nn.Linear(2, 2), nn.Dropout2d(0.1)))
    assert not has_dropout(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.0)))


def test_three_axes_are_rows_channels_and_length_in_dropout2d():
    with KeyedDropout(uniform):
        out = nn.Dropout2d(0.5)(torch.ones(40, 6, 3))
    dropped = (out == 0).all(dim=2)
    assert bool((out == out[:, :, :1]).all())
    assert 0.3 < dropped.float().mean().item() < 0.7
    assert any(0 < row.float().mean() < 1 for row in dropped)
