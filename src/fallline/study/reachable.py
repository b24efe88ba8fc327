"""What a function or object is made of: the code that it runs, and the values that this code refers to."""

import dis
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import PurePath
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import nn

from fallline.closures import closed_over
from fallline.whose import is_users

PLAIN = (bool, int, float, complex, str, bytes, type(None), Decimal, Fraction, PurePath, range, Enum)
"""Types whose values say all of themselves."""

_DEEPEST = 12
_LONGEST = 1000
_CHANGING = {
    "append",
    "extend",
    "insert",
    "pop",
    "popitem",
    "update",
    "setdefault",
    "clear",
    "add",
    "remove",
    "discard",
}
_ENTRIES = {"__call__", "forward", "__getitem__"}
"""Methods that code runs without naming them."""

Path = tuple[str, ...]


@dataclass
class Reachable:
    """Found by following names from a function or object: the user's functions, and values, each by its path."""

    code: dict[Path, CodeType] = field(default_factory=dict)
    values: dict[Path, Any] = field(default_factory=dict)
    contained: set[Path] = field(default_factory=set)
    """The paths that lead through a list, a dictionary or a set."""
    _seen: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, thing: Any) -> "Reachable":
        """What a thing leads to, as far as anything is told of it."""
        found = cls()
        found._follow(thing, (), set())
        return found

    def lasting(self) -> dict[Path, Any]:
        """The values but those that the code changes: it assigns their names, or it changes containers."""
        assigned = {name for code in self.code.values() for name in _assigned(code)}
        changing = any(_names(code) & _CHANGING or _assigns_items(code) for code in self.code.values())
        return {
            path: value
            for path, value in self.values.items()
            if not assigned & {*path} and not (changing and path in self.contained)
        }

    def _follow(self, thing: Any, path: Path, named: set[str], contained: bool = False) -> None:
        """`named` are the names in the code that led here: of an object only these attributes matter."""
        try:
            self._known(thing, path, named, contained)
        except Exception:
            # Objects may answer with anything; of those that fail only their class is known.
            self.values[path] = type(thing)

    def _known(self, thing: Any, path: Path, named: set[str], contained: bool) -> None:
        if contained or isinstance(thing, (list, dict, set)):
            self.contained.add(path)
        containers = isinstance(thing, (list, dict, tuple))
        if isinstance(thing, (*PLAIN, torch.Tensor)) or not (containers or _has_parts(thing)):
            self.values[path] = thing
            return
        if isinstance(thing, ModuleType) or id(thing) in self._seen or len(path) > _DEEPEST:
            return
        self._seen.add(id(thing))
        if containers:
            items = thing.items() if isinstance(thing, dict) else enumerate(thing)
            self.values[path] = len(thing)
            for number, (key, part) in enumerate(islice(items, _LONGEST)):
                place = repr(key) if isinstance(key, PLAIN) else f"item {number}"
                self._follow(part, (*path, f"[{place}]"), named, path in self.contained)
        elif isinstance(thing, partial):
            self._follow(thing.func, path, named, contained)
            for key, part in (*enumerate(thing.args), *thing.keywords.items()):
                self._follow(part, (*path, str(key)), named, contained)
        elif isinstance(thing, MethodType):
            self._object(thing.__self__, path, {thing.__func__.__name__}, contained)
        elif isinstance(thing, FunctionType):
            self._function(thing, path, contained)
        elif isinstance(thing, type):
            self._class(thing, path, contained)
        else:
            self._object(thing, path, named | _ENTRIES, contained)

    def _function(self, function: FunctionType, path: Path, contained: bool) -> None:
        code = function.__code__
        # What begins with an underscore is somebody else's mark.
        own = {name: x for name, x in _attributes(function).items() if name == "__wrapped__" or name[0] != "_"}
        own |= closed_over(function)
        if is_users(code.co_filename):
            self.code[path] = code
            defaults = {f"default {number}": x for number, x in enumerate(function.__defaults__ or ())}
            named = {
                name: function.__globals__[name] for name in sorted(_globals(code)) if name in function.__globals__
            }
            own = {**defaults, **(function.__kwdefaults__ or {}), **named, **own}
        else:
            self.values[path] = function
        for name, part in own.items():
            self._follow(part, (*path, name), _names(code), contained)

    def _class(self, kind: type, path: Path, contained: bool) -> None:
        self.values[path] = kind
        for name, part in _members(kind).items():
            if not name.startswith("__") or isinstance(part, FunctionType):
                self._follow(part, (*path, f".{name}"), set(), contained)

    def _object(self, thing: Any, path: Path, named: set[str], contained: bool) -> None:
        """Its methods that are named, those that these name in turn, and the attributes that they all name."""
        members = _members(type(thing))
        reached: set[str] = set()
        while more := (named & members.keys()) - reached:
            reached |= more
            for name in more:
                if isinstance(part := members[name], FunctionType):
                    named = named | _names(part.__code__)
        attributes = _attributes(thing)
        if isinstance(thing, nn.Module):
            inner: dict[str, Any] = dict(thing.named_children())
            inner |= {**dict(thing.named_parameters(recurse=False)), **dict(thing.named_buffers(recurse=False))}
            attributes |= inner
            named = named | inner.keys()
            if any(one not in (nn.Module, object) and not _is_users(one) for one in type(thing).__mro__):
                # A library's layer reads what it has: a reduction, a smoothing.
                named = named | {name for name in attributes if not name.startswith("_")}
        self.values[path] = thing.code if _is_scripted(thing) else type(thing)
        parts = {**{name: members[name] for name in reached}, **{n: x for n, x in attributes.items() if n in named}}
        for name, part in sorted(parts.items()):
            self._follow(part, (*path, f".{name}"), named, contained)
        if "__wrapped__" in attributes:
            self._follow(attributes["__wrapped__"], path, named, contained)


def _has_parts(thing: Any) -> bool:
    return isinstance(thing, (partial, MethodType, FunctionType, type, nn.Module)) or bool(_attributes(thing))


def _attributes(thing: Any) -> dict[str, Any]:
    """What an object holds, in its dictionary and in slots, without asking it: it may answer with anything."""
    found: dict[str, Any] = {}
    for kind in type(thing).__mro__ if not isinstance(thing, type) else ():
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            try:
                found[name] = object.__getattribute__(thing, name)
            except AttributeError:
                continue
    try:
        return {**found, **object.__getattribute__(thing, "__dict__")}
    except (AttributeError, TypeError):
        return found


def _members(kind: type) -> dict[str, Any]:
    """The methods and class attributes that the user wrote, of a class and of those that it inherits from."""
    return {
        name: _unwrapped(part) for one in reversed(kind.__mro__) if _is_users(one) for name, part in vars(one).items()
    }


def _is_users(kind: type) -> bool:
    functions = [part for part in map(_unwrapped, vars(kind).values()) if isinstance(part, FunctionType)]
    return any(is_users(function.__code__.co_filename) for function in functions)


def _unwrapped(member: Any) -> Any:
    """The function behind a property, a static or a class method."""
    if isinstance(member, property):
        return member.fget
    return member.__func__ if isinstance(member, (staticmethod, classmethod)) else member


def _is_scripted(thing: Any) -> bool:
    return isinstance(thing, (torch.jit.ScriptFunction, torch.jit.ScriptModule))


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _codes(inner)


def _names(code: CodeType) -> set[str]:
    return {name for one in _codes(code) for name in one.co_names}


def _globals(code: CodeType) -> set[str]:
    return {x.argval for one in _codes(code) for x in dis.get_instructions(one) if x.opname == "LOAD_GLOBAL"}


def _assigned(code: CodeType) -> set[str]:
    """The variables outside it that code assigns, and, with a dot, the attributes that it does but where it makes an
    object.
    """
    found = set()
    for one in _codes(code):
        for x in dis.get_instructions(one):
            if x.opname == "STORE_GLOBAL" or (x.opname == "STORE_DEREF" and x.argval in one.co_freevars):
                found.add(x.argval)
            elif x.opname == "STORE_ATTR" and one.co_name not in ("__init__", "__post_init__", "__new__"):
                found.add(f".{x.argval}")
    return found


def _assigns_items(code: CodeType) -> bool:
    """Whether an item of something is assigned or deleted."""
    return any(x.opname in ("STORE_SUBSCR", "DELETE_SUBSCR") for one in _codes(code) for x in dis.get_instructions(one))
