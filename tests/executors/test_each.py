"""One value per parameter, used as if it were one."""

import copy
import operator
from typing import Any

import pytest
import torch

from fallline.executors.each import Each, per_item
from fallline.executors.foreach import MultiTensor

A = [torch.tensor([1.0, -4.0]), torch.tensor([[9.0], [2.0]]), torch.tensor(3.0), torch.zeros(0)]
B = [torch.tensor([2.0, 5.0]), torch.tensor([[3.0], [0.5]]), torch.tensor(-2.0), torch.zeros(0)]
KINDS = pytest.mark.parametrize("kind", [Each, MultiTensor])
OTHERS: list[Any] = [B, 2.0, 3, torch.tensor(2.0), [0.5, 1.5, 2.5, 3.5]]
OPERATORS = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.pow,
    operator.floordiv,
    operator.mod,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    operator.eq,
    operator.ne,
]


def same(found: Any, expected: list[Any]) -> bool:
    return len(found.items) == len(expected) and all(
        torch.equal(torch.as_tensor(a).nan_to_num(99.0), torch.as_tensor(b).nan_to_num(99.0))
        and torch.as_tensor(a).dtype == torch.as_tensor(b).dtype
        for a, b in zip(found.items, expected, strict=True)
    )


@KINDS
@pytest.mark.parametrize("other", OTHERS, ids=["list", "float", "int", "tensor", "numbers"])
@pytest.mark.parametrize("function", OPERATORS, ids=lambda f: f.__name__)
def test_binary_operators_act_in_pairs_both_ways(kind: type[Each], function: Any, other: Any) -> None:
    each = isinstance(other, list)
    others = other if each else [other] * len(A)
    right = kind(other) if each else other
    assert same(function(kind(A), right), [function(a, b) for a, b in zip(A, others, strict=True)])
    assert same(function(right, kind(A)), [function(b, a) for a, b in zip(A, others, strict=True)])


@KINDS
@pytest.mark.parametrize("function", [operator.neg, operator.pos, abs, torch.sqrt, torch.exp, torch.sign])
def test_unary_functions_act_on_each(kind: type[Each], function: Any) -> None:
    assert same(function(kind(A)), [function(a) for a in A])


@KINDS
def test_torch_functions_take_lists_anywhere(kind: type[Each]) -> None:
    a, b = kind(A), kind(B)
    assert same(torch.maximum(a, b), [torch.maximum(x, y) for x, y in zip(A, B, strict=True)])
    assert same(torch.where(a > b, a, b), [torch.where(x > y, x, y) for x, y in zip(A, B, strict=True)])
    assert same(torch.stack([a, b]), [torch.stack([x, y]) for x, y in zip(A, B, strict=True)])
    assert same(
        torch.clamp(a, max=b.abs()),
        [x.clamp(max=y.abs()) for x, y in zip(A, B, strict=True)],
    )
    assert same(torch.einsum("...,...->...", [a, b]), [x * y for x, y in zip(A, B, strict=True)])
    assert same(torch.full_like(a, 2.0), [torch.full_like(x, 2.0) for x in A])


@KINDS
def test_list_after_a_tuple_without_lists_is_found(kind: type[Each]) -> None:
    found = Each.__torch_function__(lambda shape, x: x.reshape(shape), (), ((-1,), kind(A)))
    assert same(found, [x.reshape(-1) for x in A])


@KINDS
def test_methods_attributes_and_indices_go_to_each(kind: type[Each]) -> None:
    assert same(kind(A).abs().sum(), [a.abs().sum() for a in A])
    assert kind(A).shape.items == [a.shape for a in A]
    assert same(kind(A[:2])[0], [a[0] for a in A[:2]])


@KINDS
def test_several_results_become_several_lists(kind: type[Each]) -> None:
    values, indices = torch.sort(kind(A[:2]), dim=0)
    assert same(values, [a.sort(dim=0).values for a in A[:2]])
    assert same(indices, [a.sort(dim=0).indices for a in A[:2]])


def test_results_of_multi_tensor_calls_stay_multi_tensor() -> None:
    a = MultiTensor(A)
    assert all(type(x) is MultiTensor for x in (a + 1, 1 + a, a * a, -a, torch.sqrt(a), 2**a, a > 0, a.abs()))


@KINDS
def test_branching_is_refused_with_the_remedy(kind: type[Each]) -> None:
    with pytest.raises(TypeError, match=r"may not branch.*maths\.where"):
        bool(kind(A) > 0)


def test_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        Each(A).nonsense  # noqa: B018
    with pytest.raises(AttributeError):
        Each([]).shape  # noqa: B018


def test_lists_can_be_copied() -> None:
    assert same(copy.deepcopy(Each(A)), A)


def test_one_value_for_all_is_each_ones() -> None:
    assert per_item(Each([1, 2]), 2) == [1, 2]
    assert per_item(7, 3) == [7, 7, 7]
