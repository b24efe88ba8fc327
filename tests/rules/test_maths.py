"""The words of formulas: values, and 0-d float64 hyperparameters beside float32 tensors, under vmap too."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from fallline.rules.maths import clip, debias, ema, shrink, squared_norm, where

X = torch.tensor([-3.0, -0.5, 0.0, 0.25, 2.0], dtype=torch.float32)


def test_ema_weighs_old_and_new() -> None:
    assert ema(torch.tensor(1.0), torch.tensor(5.0), 0.75).item() == 2.0


def test_debias_undoes_a_start_at_zero() -> None:
    average = torch.zeros(())
    for t in range(1, 4):
        average = ema(average, torch.tensor(2.0), 0.9)
        assert debias(average, 0.9, t).item() == pytest.approx(2.0, rel=1e-14)


def test_clip_keeps_nan_and_moves_the_rest_inside() -> None:
    clipped = clip(torch.tensor([-3.0, 0.5, 3.0, torch.nan]), 1.0)
    assert clipped[:3].tolist() == [-1.0, 0.5, 1.0]
    assert clipped[3].isnan()


def test_shrink_stops_at_zero() -> None:
    assert shrink(X, 0.5).tolist() == [-2.5, 0.0, 0.0, 0.0, 1.5]


def test_squared_norm_is_a_sum_over_all_elements() -> None:
    assert squared_norm(torch.tensor([[1.0, -2.0], [3.0, 0.0]])).item() == 14.0
    assert squared_norm(torch.tensor(-3.0)).item() == 9.0
    assert squared_norm(torch.zeros(0)).item() == 0.0
    assert squared_norm(torch.tensor([1.0, torch.nan])).isnan()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_squared_norm_of_half_precision_is_in_single(dtype: torch.dtype) -> None:
    square = squared_norm(torch.tensor([300.0, 1.0], dtype=dtype))
    assert square.dtype == torch.float32
    assert square.item() == 300.0**2 + 1


def test_where_takes_a_python_condition_as_it_stands() -> None:
    assert where(True, 1.0, 2.0) == 1.0
    assert where(False, 1.0, 2.0) == 2.0


def test_where_keeps_the_tensors_type_and_double_numbers() -> None:
    assert where(X > 0, X, 0.0).dtype == torch.float32
    assert where(torch.tensor(True), 1.0, 0.1).dtype == torch.float64


WORDS: list[Callable[[Tensor, Any], Tensor]] = [
    lambda x, h: ema(x, 2 * x, h),
    lambda x, h: debias(x, h, 3),
    clip,
    shrink,
    lambda x, h: where(x > 0, x, h),
]


@pytest.mark.parametrize("word", WORDS, ids=["ema", "debias", "clip", "shrink", "where"])
def test_words_take_tensors_as_hyperparameters_under_vmap(word: Callable[[Tensor, Any], Tensor]) -> None:
    values = torch.tensor([0.3, 0.8], dtype=torch.float64)
    mapped = torch.vmap(word, in_dims=(None, 0))(X, values)
    assert mapped.dtype == torch.float32
    for row, value in zip(mapped, values, strict=True):
        assert torch.allclose(row, word(X, value.item()), rtol=1e-6, atol=0.0)
        assert torch.equal(word(X, value), row)
