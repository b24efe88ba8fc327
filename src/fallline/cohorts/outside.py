"""What a model or loss reads or changes beside what it is given: a captured step keeps it as it was at the capture."""

import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from types import FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from fallline.closures import closed_over
from fallline.cohorts.reasons import CannotMap
from fallline.whose import is_users

_SCALARS = (bool, int, float, str, type(None))
_PLAIN = (*_SCALARS, tuple)
_OF_MODULES = vars(nn.Module()).keys() - {"training"}
"""Attributes of every module: parameters, buffers, hooks."""
_DEEPEST = 4
_LONGEST = 1000


@contextmanager
def nothing_outside(model: nn.Module, functions: Mapping[str, Callable[..., Any]]) -> Iterator[list[str]]:
    """Raises CannotMap at the end where a model or its losses and metrics drew from Python's or NumPy's generator
    inside, or changed something that is no tensor: an attribute, or of a function a variable outside it. The list then
    has the names under which they hold other tensors than before; whether they read these again only another capture
    can tell.
    """
    assigned: list[str] = []
    drawn = _generators()
    before = [_kept(_attributes(model)), *(_kept(_known(function)) for function in functions.values())]
    yield assigned
    if _generators() != drawn:
        raise CannotMap("it draws random numbers of its own")
    after = [_attributes(model), *map(_known, functions.values())]
    names = ["it", *(f"its {name}" for name in functions)]
    for whose, then, now in zip(names, before, after, strict=True):
        for path, value in _kept(now).items():
            old = then.get(path)
            if isinstance(value, Tensor) or isinstance(old, Tensor):
                assigned += [path[0]] * (value is not old)
            elif path in then and not _alike(value, old):
                raise CannotMap(f"{whose} changes {path[0]} as it runs, which is no tensor")


def differing(models: Sequence[nn.Module]) -> str | None:
    """An attribute that is no parameter or buffer and not the same in all of some models; None if there is none."""
    first, *others = map(_leaves, models)
    return next((name for other in others for name, x in first.items() if not _alike(x, other.get(name))), None)


def _leaves(model: nn.Module) -> dict[str, Any]:
    """Tensors, arrays and plain values among the attributes, within lists, tuples, dictionaries and modules too."""
    registered = {id(x) for x in (*model.parameters(), *model.buffers(), *model.modules())}
    found: dict[str, Any] = {}
    for name, value in _attributes(model).items():
        for number, leaf in enumerate(tree_leaves(value)):
            if id(leaf) in registered or (isinstance(leaf, Tensor) and not leaf.is_leaf):
                # What was computed from parameters is computed anew, as weight normalisation does.
                continue
            if isinstance(leaf, nn.Module):
                found |= {f"{name}.{own}": x for own, x in {**_leaves(leaf), **leaf.state_dict()}.items()}
            elif isinstance(leaf, (Tensor, np.ndarray, *_PLAIN)):
                found[f"{name}[{number}]" if leaf is not value else name] = leaf
    return found


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a is b or (a.dtype == b.dtype and torch.equal(a, b))
    return a is b or bool(np.array_equal(a, b, equal_nan=isinstance(a, float) and isinstance(b, float)))


def _generators() -> Any:
    name, words, *rest = np.random.get_state()
    return random.getstate(), name, np.asarray(words).tolist(), rest


def _known(loss: Callable[..., Any]) -> Mapping[str, Any]:
    """The attributes and buffers of a loss, or the variables outside it that it names."""
    while isinstance(loss, partial):
        loss = loss.func
    if isinstance(loss, nn.Module):
        return {**_attributes(loss), **dict(loss.named_buffers())}
    if isinstance(loss, MethodType):
        return getattr(loss.__self__, "__dict__", {})
    if isinstance(loss, FunctionType):
        named = {name: loss.__globals__[name] for name in loss.__code__.co_names if name in loss.__globals__}
        return {**named, **closed_over(loss), **vars(loss)}
    return getattr(loss, "__dict__", {})


def _attributes(model: nn.Module) -> dict[str, Any]:
    return {
        f"{owner}.{name}".lstrip("."): value
        for owner, module in model.named_modules()
        for name, value in vars(module).items()
        if name not in _OF_MODULES
    }


def _kept(values: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
    """Tensors and plain values, by the path through lists, dictionaries and the user's objects, and how many of them
    containers have that hold nothing else.
    """
    found: dict[tuple[str, ...], Any] = {}
    seen: set[int] = set()

    def keep(value: Any, path: tuple[str, ...]) -> None:
        if isinstance(value, (Tensor, *_SCALARS)):
            found[path] = value
        elif len(path) <= _DEEPEST and id(value) not in seen and (parts := _parts(value)):
            seen.add(id(value))
            if all(isinstance(part, _SCALARS) for part in parts.values()):
                found[(*path, "")] = len(parts)
            for name, part in islice(parts.items(), _LONGEST):
                keep(part, (*path, str(name)))

    for name, value in values.items():
        keep(value, (name,))
    return found


def _parts(value: Any) -> Mapping[Any, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, (list, tuple)):
        return dict(enumerate(value))
    if isinstance(value, (nn.Module, type, ModuleType, FunctionType, MethodType)):
        return {}
    file = getattr(sys.modules.get(type(value).__module__), "__file__", None)
    of_user = isinstance(value, SimpleNamespace) or type(value).__module__ == "__main__" or (file and is_users(file))
    return getattr(value, "__dict__", {}) if of_user else {}
