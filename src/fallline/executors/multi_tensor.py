"""A list of tensors whose element-wise operations wait, so that all of a step is known before memory is taken."""

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from fallline.executors.each import Each


@dataclass(frozen=True, eq=False)
class Kind:
    """The shapes and types of a list's tensors, which are floating numbers with memory of their own; one object for
    all lists that are alike."""

    shapes: tuple[torch.Size, ...]
    types: tuple[tuple[torch.dtype, torch.device], ...]

    def takes(self, other: "Kind") -> bool:
        """Whether an operation of this list with another keeps this one's shapes and types: the other is alike, or of
        single numbers, which widen nothing that has dimensions."""
        return self is other or _widened_by_nothing_of(self, other)


@lru_cache(maxsize=256)
def _kind(shapes: tuple[torch.Size, ...], types: tuple[tuple[torch.dtype, torch.device], ...]) -> Kind | None:
    return Kind(shapes, types) if all(dtype.is_floating_point for dtype, _ in types) else None


@lru_cache(maxsize=1024)
def _widened_by_nothing_of(kind: Kind, other: Kind) -> bool:
    return all(
        not theirs and own_type[1] == their_type[1] and (bool(own) or own_type == their_type)
        for own, own_type, theirs, their_type in zip(kind.shapes, kind.types, other.shapes, other.types, strict=True)
    )


def _kind_of(items: Sequence[Any]) -> Kind | None:
    types = {type(x) for x in items}
    if types <= _NUMBERS:
        return NUMBERS
    if not types <= _TENSORS:
        return None
    return _kind(tuple([x.shape for x in items]), tuple([(x.dtype, x.device) for x in items]))


_NUMBERS, _TENSORS = {float, int}, {Tensor, Parameter}
NUMBERS = Kind((), ())
"""The kind of a list of Python's numbers."""


@dataclass(frozen=True)
class Operation:
    """torch's multi-tensor function, and the one that overwrites its first list."""

    apart: Callable[..., Any]
    over: Callable[..., Any]
    commutes: bool = False
    """Whether its operands can change places."""


class MultiTensor(Each):
    """A list of tensors whose operators are multi-tensor calls, made when somebody looks at `items`.

    Only what cannot fail waits: operations of lists of the same shapes and types, and with numbers. Until then
    `operation` and `operands` say what is to be done. `kind` is None for all but plain floating tensors and numbers:
    what is beside it cannot wait. `private` is memory that nobody else knows of.
    """

    __slots__ = ("_items", "keywords", "kind", "operands", "operation", "private")

    def __init__(self, items: Iterable[Any], private: bool = False) -> None:
        super().__init__(items)
        self.private = private

    @classmethod
    def waiting(cls, operation: Operation, operands: Sequence[Any], kind: Kind, **keywords: float) -> "MultiTensor":
        """What an operation will give."""
        made = cls.__new__(cls)
        made._items = None
        made.kind = kind
        made.operation = operation
        made.operands = operands
        made.keywords = keywords
        made.private = True
        return made

    @property
    def items(self) -> list[Any]:
        """The tensors; whoever sees them may keep them."""
        self.private = False
        return self.values()

    @items.setter
    def items(self, items: list[Any]) -> None:
        self._items: list[Any] | None = items
        self.kind: Kind | None = _kind_of(items)
        self.operation: Operation | None = None
        self.operands: Sequence[Any] = ()
        self.keywords: dict[str, float] = {}
        self.private = False

    def values(self) -> list[Any]:
        """The tensors, for one who keeps and changes none."""
        if self._items is None:
            assert self.operation is not None
            operands = [x.values() if isinstance(x, MultiTensor) else x for x in self.operands]
            self._items = list(self.operation.apart(*operands, **self.keywords))
            self.operation, self.operands = None, ()
        return self._items

    def apply(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Let an operation wait where torch has a multi-tensor function for these arguments, else loop."""
        if not kwargs and (operation := OPERATIONS.get(function)) is not None:
            made = self._unary(operation, *args) if len(args) == 1 else self._binary(operation, *args)
            if made is not None:
                return made
        return super().apply(function, *args, **kwargs)

    def _unary(self, operation: Operation, x: "MultiTensor") -> "MultiTensor | None":
        return None if x.kind is None or x.kind is NUMBERS else MultiTensor.waiting(operation, (x,), x.kind)

    def _binary(self, operation: Operation, a: Any, b: Any) -> "MultiTensor | None":
        if operation.commutes and b is self:
            a, b = b, a
        if not isinstance(a, MultiTensor) or (kind := a.kind) is None:
            return None
        if type(b) is float or type(b) is int:
            return None if kind is NUMBERS else MultiTensor.waiting(operation, (a, b), kind)
        if isinstance(b, Tensor) and b.dim() == 0:
            # One number of the whole model, as a total is.
            b = MultiTensor([b] * (len(kind.shapes) or len(a.values())))
        if not isinstance(b, MultiTensor) or b.kind is None:
            return None
        if operation.commutes and kind is NUMBERS:
            a, b, kind = b, a, b.kind
        if kind is NUMBERS:
            return None
        if b.kind is not NUMBERS and not kind.takes(b.kind):
            if not b.kind.takes(kind):
                return None
            kind = b.kind
        joined = _joined(a, b) if operation is ADD and a.kind is b.kind else None
        return MultiTensor.waiting(operation, (a, b), kind) if joined is None else joined


def _joined(a: MultiTensor, b: MultiTensor) -> MultiTensor | None:
    """A sum of lists of one kind together with the multiplication of what is added, as torch's own loops make it.

    Decided here, whoever else reads the product, so that a formula is rounded alike in every surrounding; not for
    differences, so that what a wrapper takes from the weights is rounded as when the step is made.
    """
    if b.operation is not MUL:
        a, b = b, a
    if (kind := a.kind) is None or b.operation is not MUL:
        return None
    x, by = b.operands
    if x.kind is not kind:
        return None
    if type(by) is MultiTensor:
        return MultiTensor.waiting(ADDCMUL, (a, x, by), kind) if _alike(a, by) else None
    if x.operation is MUL and _alike(a, *x.operands):
        return MultiTensor.waiting(ADDCMUL, (a, *x.operands), kind, value=by)
    return MultiTensor.waiting(ADD, (a, x), kind, alpha=by)


def _alike(a: MultiTensor, *others: Any) -> bool:
    return all(type(other) is MultiTensor and other.kind is a.kind for other in others)


ADD = Operation(torch._foreach_add, torch._foreach_add_, commutes=True)
SUB = Operation(torch._foreach_sub, torch._foreach_sub_)
MUL = Operation(torch._foreach_mul, torch._foreach_mul_, commutes=True)
ADDCMUL = Operation(torch._foreach_addcmul, torch._foreach_addcmul_)
_ABS = Operation(torch._foreach_abs, torch._foreach_abs_)
OPERATIONS: dict[Any, Operation] = {
    operator.__add__: ADD,
    operator.__sub__: SUB,
    operator.__mul__: MUL,
    operator.__truediv__: Operation(torch._foreach_div, torch._foreach_div_),
    operator.__pow__: Operation(torch._foreach_pow, torch._foreach_pow_),
    operator.__neg__: Operation(torch._foreach_neg, torch._foreach_neg_),
    operator.__abs__: _ABS,
    torch.maximum: Operation(torch._foreach_maximum, torch._foreach_maximum_, commutes=True),
    torch.minimum: Operation(torch._foreach_minimum, torch._foreach_minimum_, commutes=True),
    torch.abs: _ABS,
    torch.exp: Operation(torch._foreach_exp, torch._foreach_exp_),
    torch.log: Operation(torch._foreach_log, torch._foreach_log_),
    torch.sign: Operation(torch._foreach_sign, torch._foreach_sign_),
    torch.sqrt: Operation(torch._foreach_sqrt, torch._foreach_sqrt_),
}
