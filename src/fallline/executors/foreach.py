"""The formula over all parameters at once, through torch's multi-tensor (`_foreach_`) functions."""

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from fallline.executors.each import Each
from fallline.executors.part import Part, Surroundings, Update
from fallline.executors.reference import looped


@torch.no_grad()
def foreach(parts: Sequence[Part], around: Surroundings) -> list[Update]:
    """As `reference`, with one call per operation where torch has a multi-tensor form; the rest loops."""
    return looped(parts, around, MultiTensor)


class MultiTensor(Each):
    """A list of tensors whose operators are multi-tensor calls."""

    __slots__ = ("_of_tensors",)

    def __init__(self, items: Iterable[Any], of_tensors: bool | None = None) -> None:
        super().__init__(items)
        self._of_tensors = of_tensors

    @property
    def of_tensors(self) -> bool:
        """Whether all items are tensors; looked up once, for an operation costs less than to look at a long list."""
        if self._of_tensors is None:
            self._of_tensors = all(isinstance(item, Tensor) for item in self.items)
        return self._of_tensors

    def apply(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Use the multi-tensor form of a function where there is one for these arguments, else loop."""
        if not kwargs and len(args) == 2 and function in _BINARY:
            a, b = args
            if _is_tensors(a) and (_is_tensors(b) or _is_numbers(b)):
                return MultiTensor(_BINARY[function](a.items, b.items if isinstance(b, Each) else b), of_tensors=True)
            if function in _COMMUTATIVE and _is_numbers(a) and _is_tensors(b):
                return MultiTensor(_BINARY[function](b.items, a.items if isinstance(a, Each) else a), of_tensors=True)
        if not kwargs and len(args) == 1 and function in _UNARY and _is_tensors(args[0]):
            return MultiTensor(_UNARY[function](args[0].items), of_tensors=True)
        return super().apply(function, *args, **kwargs)


def _is_tensors(x: Any) -> bool:
    return isinstance(x, MultiTensor) and x.of_tensors


def _is_numbers(x: Any) -> bool:
    if isinstance(x, Each):
        return all(isinstance(item, float | int) and not isinstance(item, bool) for item in x.items)
    return isinstance(x, float | int) and not isinstance(x, bool)


_BINARY: dict[Any, Callable[..., Any]] = {
    operator.__add__: torch._foreach_add,
    operator.__sub__: torch._foreach_sub,
    operator.__mul__: torch._foreach_mul,
    operator.__truediv__: torch._foreach_div,
    operator.__pow__: torch._foreach_pow,
    torch.maximum: torch._foreach_maximum,
    torch.minimum: torch._foreach_minimum,
}
_COMMUTATIVE = {operator.__add__, operator.__mul__}
_UNARY: dict[Any, Callable[..., Any]] = {
    operator.__neg__: torch._foreach_neg,
    operator.__abs__: torch._foreach_abs,
    torch.abs: torch._foreach_abs,
    torch.exp: torch._foreach_exp,
    torch.log: torch._foreach_log,
    torch.sign: torch._foreach_sign,
    torch.sqrt: torch._foreach_sqrt,
}
