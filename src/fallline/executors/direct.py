"""What torch's compiler made, called without the layers that torch calls it through.

They ask at every call what a caller might have meant (tensors that share memory, subclasses, gradients). For a few
small networks that takes as long as the step itself.
"""

from collections.abc import Callable, Iterator, Sequence
from types import FunctionType, MethodType
from typing import Any

from torch import Tensor

from fallline.closures import closed_over

_SMALL = 64 * 1024**2
"""Up to how many bytes of inputs the layers are left out: with more of them they are not noticed."""

Compiled = Callable[..., Any]
"""A function of tensors that gives several, or one by itself."""


def direct(layered: Compiled) -> Compiled:
    """The same function with fewer layers, for callers whose tensors never share memory and need no gradients. The
    first call goes both ways: where results differ at all, or nothing that can be called is found within the layers,
    they stay.
    """
    chosen: Compiled | None = None

    def run(*inputs: Tensor) -> Any:
        nonlocal chosen
        if chosen is None:
            chosen, found = _tried(layered, inputs)
            return found
        return chosen(*inputs)

    return run


def _tried(layered: Compiled, inputs: Sequence[Tensor]) -> tuple[Compiled, Any]:
    inner = next(_compiled_within(layered), None)
    dense = all(x.is_contiguous() for x in inputs)
    if inner is None or not dense or sum(x.nbytes for x in inputs) > _SMALL:
        return layered, layered(*inputs)
    call = inner.current_callable
    copies = [x.clone() for x in inputs]
    expected = layered(*inputs)
    single = isinstance(expected, Tensor)
    try:
        found = call(list(copies))
    except Exception:
        # It is called with other inputs than the layers are given.
        return layered, expected
    several = [expected] if single else expected
    if len(found) != len(several) or not all(map(_same, [*found, *copies], [*several, *inputs])):
        return layered, expected
    return (lambda *given: call(list(given))[0]) if single else (lambda *given: call(list(given))), expected


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bool(((a == b) | ((a != a) & (b != b))).all())


def _compiled_within(function: Any) -> Iterator[Any]:
    """The compiled graphs that a function calls, as far as closures, methods and attributes lead to them."""
    from torch._inductor.output_code import CompiledFxGraph

    seen: set[int] = set()
    left = [function]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, CompiledFxGraph):
            yield one
        elif isinstance(one, MethodType):
            left += [one.__self__, one.__func__]
        elif isinstance(one, FunctionType):
            left += closed_over(one).values()
        elif hasattr(one, "__dict__") and not isinstance(one, type):
            left += [part for part in vars(one).values() if callable(part)]
