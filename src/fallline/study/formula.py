"""The formula of a rule as it is written: the source of its methods, and of what these call beside them."""

import inspect
import textwrap
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from fallline.rules import Rule, maths
from fallline.wrappers import Wrapper

_METHODS = ("init", "step", "eval_point")
_Written = tuple[type | None, FunctionType]
"""A function, and the class that writes it as a method."""


def formula(kind: type[Rule]) -> str:
    """The source of a rule's `init`, `step` and `eval_point`, where it has them, and of the methods and functions of
    its own that they call; what a parent writes is headed by the parent's name. The words of `rules.maths` are not
    spelled out.

    >>> from fallline.rules import SGD, Lion
    >>> print(formula(Lion).splitlines()[0])
    def init(self, p: Tensor) -> State:
    >>> "momentum_buffer" in formula(SGD)
    True
    """
    methods = (_method(kind, name, kind.__mro__) for name in _METHODS)
    waiting: list[_Written] = [found for found in methods if found is not None]
    seen: list[_Written] = []
    while waiting:
        owner, function = waiting.pop(0)
        if function in [known for _, known in seen]:
            continue
        seen.append((owner, function))
        waiting += _called(kind, owner, function)
    return "\n\n".join(_source(kind, owner, function) for owner, function in seen)


def _method(kind: type[Rule], name: str, among: tuple[type, ...]) -> tuple[type, FunctionType] | None:
    """The first of some classes that writes a method, and the method; None for what every rule or wrapper has."""
    owner = next((c for c in among if name in vars(c)), None)
    found = None if owner is None else vars(owner)[name]
    return (owner, found) if isinstance(found, FunctionType) and owner not in (Rule, Wrapper) and owner else None


def _called(kind: type[Rule], owner: type | None, function: FunctionType) -> list[_Written]:
    found: list[_Written] = []
    names = list(dict.fromkeys(_names(function.__code__)))
    if owner is not None and "super" in names:
        parent = _method(kind, function.__name__, kind.__mro__[kind.__mro__.index(owner) + 1 :])
        found += [] if parent is None else [parent]
    for name in names:
        other: Any = function.__globals__.get(name)
        method = _method(kind, name, kind.__mro__)
        if isinstance(other, FunctionType) and _is_formula(other.__module__, kind):
            found.append((None, other))
        elif method is not None and name not in _METHODS:
            found.append(method)
    return found


def _names(code: CodeType) -> Iterator[str]:
    """All names that code uses, that of functions within it too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_formula(module: str, kind: type[Rule]) -> bool:
    return module == kind.__module__ or (module.startswith("fallline.rules.") and module != maths.__name__)


def _source(kind: type[Rule], owner: type | None, function: FunctionType) -> str:
    head = f"# {owner.__name__}\n" if owner is not None and owner is not kind else ""
    return head + textwrap.dedent(inspect.getsource(function)).rstrip()
