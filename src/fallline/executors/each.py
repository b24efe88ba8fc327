"""One value per parameter, used as if it were one: every operator and torch function acts on each."""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import torch

_OPERATORS = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"]
_COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]
_UNARY = ["neg", "pos", "abs", "invert"]


class Each:
    """A list of tensors or numbers that a rule, written as for one tensor, may use as one.

    A method call or an attribute goes to each item; what meets two lists takes their items in pairs.
    """

    __slots__ = ("items",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = list(items)

    def apply(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function once per item; arguments that are lists themselves take part item by item."""
        size = len(self.items)
        columns = [_column(x, size) for x in (*args, *kwargs.values())]
        if not kwargs:
            return self._gather([function(*row) for row in zip(*columns, strict=True)])
        count = len(args)
        return self._gather(
            [
                function(*row[:count], **dict(zip(kwargs, row[count:], strict=True)))
                for row in zip(*columns, strict=True)
            ]
        )

    def _gather(self, results: list[Any]) -> Any:
        if results and isinstance(results[0], int | torch.Size) and not isinstance(results[0], bool):
            # Ranks and sizes: known before any value is, and equal where a rule that asks for them is run.
            if all(result == results[0] for result in results[1:]):
                return results[0]
            return type(self)(results)
        if results and isinstance(results[0], tuple):
            return tuple(type(self)(column) for column in zip(*results, strict=True))
        return type(self)(results)

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        stand_in = _first([*args, *kwargs.values()])
        assert stand_in is not None
        return stand_in.apply(function, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not self.items:
            raise AttributeError(name)
        if callable(getattr(self.items[0], name)):
            return lambda *args, **kwargs: self.apply(
                lambda item, *a, **k: getattr(item, name)(*a, **k), self, *args, **kwargs
            )
        return self._gather([getattr(item, name) for item in self.items])

    def __getitem__(self, index: Any) -> Self:
        return self.apply(operator.getitem, self, index)  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        raise TypeError(
            "a rule may not branch on tensors, t or float hyperparameters: use maths.where, or a field of another type"
        )


def per_item(x: Any, count: int) -> list[Any]:
    """The items of a list; one value made for all parameters is each one's."""
    return x.items if isinstance(x, Each) else [x] * count


def _column(x: Any, count: int) -> Sequence[Any]:
    """What each item's call is given of an argument."""
    if isinstance(x, list | tuple) and _first(x) is not None:
        return [type(x)(row) for row in zip(*(_column(y, count) for y in x), strict=True)]
    return per_item(x, count)


def _first(values: Iterable[Any]) -> Each | None:
    for value in values:
        found = _first(value) if isinstance(value, list | tuple) else value
        if isinstance(found, Each):
            return found
    return None


def _add_operators() -> None:
    def forward(function: Callable[..., Any]) -> Callable[[Each, Any], Any]:
        return lambda self, other: self.apply(function, self, other)

    def backward(function: Callable[..., Any]) -> Callable[[Each, Any], Any]:
        return lambda self, other: self.apply(function, other, self)

    def unary(function: Callable[..., Any]) -> Callable[[Each], Any]:
        return lambda self: self.apply(function, self)

    for name in _OPERATORS:
        function = getattr(operator, f"__{name}__")
        setattr(Each, f"__{name}__", forward(function))
        setattr(Each, f"__r{name}__", backward(function))
    for name in _COMPARISONS:
        setattr(Each, f"__{name}__", forward(getattr(operator, f"__{name}__")))
    for name in _UNARY:
        setattr(Each, f"__{name}__", unary(getattr(operator, f"__{name}__")))


_add_operators()
