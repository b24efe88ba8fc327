"""What a function or object is made of, as text that is the same in every process of one version of Python."""

import dis
from collections.abc import Iterator, Mapping
from functools import partial
from hashlib import blake2b
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from torch import Tensor, nn

from fallline.closures import closed_over
from fallline.plain import canonical
from fallline.problems.kept import Kept, digest
from fallline.whose import is_users

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def fingerprint(thing: Any) -> str:
    """A digest of a function's instructions and of what it refers to: plain values, tensors, other functions; of an
    object's class and the attributes that its methods read. So two functions of one file have two, and one has
    another where another number is closed over. Libraries' own code is known by its name.

    Left out is what changes as it runs: lists, dictionaries, and what functions and methods themselves assign.

    >>> def scaled(by):
    ...     return lambda x: by * x
    >>> fingerprint(scaled(2)) == fingerprint(scaled(2)), fingerprint(scaled(2)) == fingerprint(scaled(3))
    (True, False)
    """
    return _digest(canonical(_Description().of(thing)).encode())


class _Description:
    """Describes things as plain values, each function, class and object once; None is what has nothing lasting."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def of(self, thing: Any) -> Any:
        if isinstance(thing, _PLAIN):
            return repr(thing)
        if isinstance(thing, tuple):
            return [self.of(part) for part in thing]
        if isinstance(thing, frozenset):
            return sorted(repr(part) for part in thing)
        if isinstance(thing, Tensor):
            return digest(Kept([thing]))
        if isinstance(thing, np.ndarray):
            return [str(thing.dtype), list(thing.shape), _digest(thing.tobytes())]
        if isinstance(thing, CodeType):
            return [thing.co_code.hex(), self.of(thing.co_consts), list(thing.co_names)]
        if isinstance(thing, ModuleType):
            return thing.__name__
        if isinstance(thing, (list, dict, set)):
            return None
        if id(thing) in self._seen:
            return _name(thing)
        self._seen.add(id(thing))
        return [_name(thing), self._known(thing)]

    def _known(self, thing: Any) -> Any:
        if isinstance(thing, partial):
            return [self.of(thing.func), self.of(thing.args), self._all(thing.keywords)]
        if isinstance(thing, MethodType):
            return [self.of(thing.__func__), self.of(thing.__self__)]
        if isinstance(thing, FunctionType):
            return self._of_function(thing)
        if isinstance(thing, type):
            return [self._all(_methods(kind)) for kind in thing.__mro__ if any(map(_is_users, _methods(kind).values()))]
        read = _read(type(thing))
        attributes = {name: x for name, x in getattr(thing, "__dict__", {}).items() if name in read}
        inner = dict(thing.named_children()) | dict(thing.state_dict()) if isinstance(thing, nn.Module) else {}
        return [self.of(type(thing)), self._all({**attributes, **inner})]

    def _of_function(self, function: FunctionType) -> Any:
        own: dict[Any, Any] = dict(enumerate(function.__defaults__ or ()))
        own |= {**closed_over(function), **(function.__kwdefaults__ or {})}
        if not _is_users(function):
            return self._all(own)
        named = {
            name: function.__globals__[name] for name in _names(function, "LOAD_GLOBAL") if name in function.__globals__
        }
        assigned = _names(function, "STORE_GLOBAL", "STORE_DEREF")
        outside = {name: x for name, x in {**named, **own}.items() if name not in assigned}
        return [self.of(function.__code__), self._all(outside)]

    def _all(self, parts: Mapping[Any, Any]) -> dict[str, Any]:
        return {str(name): self.of(part) for name, part in sorted(parts.items(), key=lambda item: str(item[0]))}


def _methods(kind: type) -> dict[str, FunctionType]:
    return {name: part for name, part in vars(kind).items() if isinstance(part, FunctionType)}


def _read(kind: type) -> set[str]:
    """The attributes that methods name and do not assign, but for what sets them up."""
    methods = [m for one in kind.__mro__ if one is not nn.Module for n, m in _methods(one).items() if n != "__init__"]
    named = {name for method in methods for name in _names(method)}
    return named - {name for method in methods for name in _names(method, "STORE_ATTR")}


def _names(function: FunctionType, *operations: str) -> set[str]:
    """The names in a function's instructions; of some operations alone, where any are given."""
    codes = list(_codes(function.__code__))
    if not operations:
        return {name for code in codes for name in code.co_names}
    return {x.argval for code in codes for x in dis.get_instructions(code) if x.opname in operations}


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _codes(inner)


def _is_users(function: FunctionType) -> bool:
    """Whether no library's version says what a function does."""
    return is_users(function.__code__.co_filename)


def _name(thing: Any) -> str:
    kind = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{kind.__module__}.{kind.__qualname__}"


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
