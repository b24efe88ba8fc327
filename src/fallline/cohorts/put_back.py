"""What models, losses and metrics keep for themselves, as it was before somebody else called them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from torch import nn

from fallline.closures import closed_over

Undo = Callable[[], None]


@contextmanager
def put_back(*called: Any) -> Iterator[None]:
    """Afterwards the attributes and variables of models, losses and metrics are as they were, and so are the lists and
    dictionaries among them.

    What calls them for many members at once, or to see what they compute, gives them tensors that are of no use to
    anybody who would find them there later.
    """
    undone = [undo for one in called for undo in _undoing(one)]
    try:
        yield
    finally:
        for undo in undone:
            undo()


def _undoing(one: Any) -> Iterator[Undo]:
    while isinstance(one, partial):
        one = one.func
    if isinstance(one, MethodType):
        one = one.__self__
    if isinstance(one, nn.Module):
        tables = [vars(module) for module in one.modules()]
    else:
        tables = [vars(one)] if hasattr(one, "__dict__") else []
    values = [value for table in tables for value in table.values()]
    if isinstance(one, FunctionType):
        named = {name: one.__globals__[name] for name in one.__code__.co_names if name in one.__globals__}
        own = closed_over(one)
        yield partial(one.__globals__.update, named)
        yield from (
            partial(setattr, cell, "cell_contents", own[name])
            for name, cell in zip(one.__code__.co_freevars, one.__closure__ or (), strict=True)
            if name in own
        )
        values += [*named.values(), *own.values()]
    for x in (*tables, *values):
        if isinstance(x, dict):
            yield partial(_restore, x, x.copy())
        elif isinstance(x, list):
            yield partial(x.__setitem__, slice(None), x.copy())


def _restore(now: dict[Any, Any], then: dict[Any, Any]) -> None:
    for name in now.keys() - then.keys():
        del now[name]
    for name, value in then.items():
        if now.get(name) is not value:
            now[name] = value
