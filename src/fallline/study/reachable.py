"""What a function or object is made of: the code that it runs, and the values that this code refers to."""

import dis
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import cached_property, partial
from itertools import islice
from pathlib import PurePath
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import nn

from fallline.closures import closed_over
from fallline.whose import is_users

PLAIN = (bool, int, float, complex, str, bytes, type(None), Decimal, Fraction, PurePath, range)
"""Types whose values say all of themselves."""

_DEEPEST = 12
_LONGEST = 1000
_CHANGING = set("append extend insert pop popitem update setdefault clear add remove discard".split())  # noqa: SIM905
_ENTRIES = {"__call__", "forward", "__getitem__"}
"""Methods that code runs without naming them."""
_WHOLE = {"vars", "getattr", "asdict", "astuple", "__dict__"}
"""Names of what reads attributes without naming them."""

Path = tuple[str, ...]


@dataclass
class Reachable:
    """Found by following names from a function or object: the user's functions, and values, each by its path."""

    names: set[str]
    """Of an object only the attributes and methods with these names matter: those that the code names."""
    code: dict[Path, CodeType] = field(default_factory=dict)
    values: dict[Path, Any] = field(default_factory=dict)
    contained: set[Path] = field(default_factory=set)
    """The paths that lead through a list, a dictionary or a set."""
    _seen: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, thing: Any) -> "Reachable":
        """What a thing leads to, as far as anything is told of it."""
        names = set(_ENTRIES)
        while True:
            found = cls(names)
            found._follow(thing, ())
            more = names.union(*map(_names, found.code.values()), found.names)
            if more <= names:
                return found
            names = more

    def lasting(self) -> dict[Path, Any]:
        """The values but those that the code changes: it assigns their names, or it changes containers or tensors."""
        codes = self.code.values()
        assigned = {name for code in codes for name in _assigned(code)}
        containers = any(_changes_containers(code) for code in codes)
        tensors = any(name.endswith("_") and name[-2:-1] not in ("", "_") for code in codes for name in _names(code))
        return {
            path: value
            for path, value in self.values.items()
            if not assigned & {*path}
            and not (containers and path in self.contained)
            and not (tensors and isinstance(value, torch.Tensor))
        }

    def _follow(self, thing: Any, path: Path, contained: bool = False) -> None:
        try:
            self._known(thing, path, contained)
        except Exception:
            # Objects may answer with anything; of those that fail only their class is known.
            self.values[path] = type(thing)

    def _known(self, thing: Any, path: Path, contained: bool) -> None:
        if contained or isinstance(thing, (list, dict, set)):
            self.contained.add(path)
        containers = isinstance(thing, (list, dict, tuple))
        if isinstance(thing, (*PLAIN, torch.Tensor)) or not (containers or _has_parts(thing)):
            self.values[path] = thing
            return
        if id(thing) in self._seen or len(path) > _DEEPEST:
            return
        self._seen.add(id(thing))
        if containers:
            self._container(thing, path)
        elif isinstance(thing, ModuleType):
            if is_users(getattr(thing, "__file__", None) or "<frozen"):
                self._all({f".{name}": vars(thing)[name] for name in self.names & vars(thing).keys()}, path, contained)
        elif isinstance(thing, partial):
            self._follow(thing.func, path, contained)
            self._all({**{str(i): x for i, x in enumerate(thing.args)}, **thing.keywords}, path, contained)
        elif isinstance(thing, MethodType):
            self.names = self.names | {thing.__func__.__name__}
            self.values[*path, ".method"] = thing.__func__.__name__.encode()
            self._follow(thing.__func__, (*path, f".{thing.__func__.__name__}"), contained)
            self._follow(thing.__self__, path, contained)
        elif isinstance(thing, FunctionType):
            self._function(thing, path, contained)
        elif isinstance(thing, type):
            self.values[path] = thing
            # Others leave marks of their own in classes.
            members = {
                f".{label}": part
                for label, name, part in _members(thing)
                if name in self.names or isinstance(part, FunctionType)
            }
            self._all(members, path, contained)
        else:
            self._object(thing, path, contained)

    def _all(self, parts: Mapping[str, Any], path: Path, contained: bool) -> None:
        for name, part in sorted(parts.items()):
            self._follow(part, (*path, name), contained)

    def _container(self, thing: Any, path: Path) -> None:
        self.values[path] = len(thing)
        items = thing.items() if isinstance(thing, dict) else enumerate(thing)
        for number, (key, part) in enumerate(islice(items, _LONGEST)):
            place = repr(key) if isinstance(key, PLAIN) else f"item {number}"
            self._follow(part, (*path, f"[{place}]"), path in self.contained)

    def _function(self, function: FunctionType, path: Path, contained: bool) -> None:
        code = function.__code__
        # What begins with an underscore is somebody else's mark.
        own = {f".{name}": x for name, x in vars(function).items() if name == "__wrapped__" or name[0] != "_"}
        own |= closed_over(function)
        if is_users(code.co_filename):
            self.code[path] = code
            own |= {f"default {number}": x for number, x in enumerate(function.__defaults__ or ())}
            own |= function.__kwdefaults__ or {}
            own |= {name: function.__globals__[name] for name in _globals(code) if name in function.__globals__}
        else:
            self.values[path] = function
        self._all(own, path, contained)

    def _object(self, thing: Any, path: Path, contained: bool) -> None:
        """The methods and attributes that are named."""
        named = self.names
        attributes = _attributes(thing)
        if isinstance(thing, nn.Module):
            inner: dict[str, Any] = dict(thing.named_children())
            inner |= {**dict(thing.named_parameters(recurse=False)), **dict(thing.named_buffers(recurse=False))}
            attributes |= inner
            named = named | inner.keys()
            if any(one not in (nn.Module, object) and not _is_users(one) for one in type(thing).__mro__):
                # A library's layer reads what it has: a reduction, a smoothing.
                named = named | {name for name in attributes if not name.startswith("_")}
        elif _WHOLE & named:
            named = named | attributes.keys()
        self.values[path] = thing.code.encode() if _is_scripted(thing) else type(thing)
        if isinstance(thing, Enum):
            self.values[path] = f"{type(thing).__qualname__}.{thing.name}".encode()
            named = named | {"_value_"}
        parts = {f".{label}": part for label, name, part in _members(type(thing)) if name in named}
        self._all({**parts, **{f".{name}": x for name, x in attributes.items() if name in named}}, path, contained)
        if "__wrapped__" in attributes:
            self._follow(attributes["__wrapped__"], path, contained)


def _has_parts(thing: Any) -> bool:
    followed = (partial, MethodType, FunctionType, type, nn.Module)
    return isinstance(thing, followed) or bool(_attributes(thing)) or bool(_members(type(thing)))


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


def _members(kind: type) -> list[tuple[str, str, Any]]:
    """The methods and class attributes that the user wrote, of a class and of those that it inherits from: each with a
    label of its own, as one may call the one that it overrides, and its name.
    """
    found: dict[str, tuple[str, str, Any]] = {}
    for one in filter(_is_users, kind.__mro__):
        for name, part in vars(one).items():
            label = f"{one.__qualname__}.{name}" if name in found else name
            found[label] = label, name, _unwrapped(part)
    return list(found.values())


def _is_users(kind: type) -> bool:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return kind.__module__ == "__main__" if file is None else is_users(file)


def _unwrapped(member: Any) -> Any:
    """The function behind a property, a static or a class method."""
    if isinstance(member, property):
        return member.fget
    if isinstance(member, cached_property):
        return member.func
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


def _changes_containers(code: CodeType) -> bool:
    """Whether code may change a list, a dictionary or a set that it did not make itself."""
    return any(map(_changes_containers_itself, _codes(code)))


def _changes_containers_itself(code: CodeType) -> bool:
    steps = list(dis.get_instructions(code))
    for number, x in enumerate(steps):
        before = steps[max(0, number - 2) : number]
        own = [step.opname.startswith("LOAD_FAST") for step in before]
        if x.opname in ("LOAD_METHOD", "LOAD_ATTR") and x.argval in _CHANGING:
            if not own[-1] and before[-1].argval not in ("torch", "np", "numpy"):
                return True
        elif x.opname in ("STORE_SUBSCR", "DELETE_SUBSCR") and not any(own):
            return True
    return False
