"""The kinds of a rule's fields, read from their annotations: floats, and values that fix the program."""

import dataclasses
import types
import typing
from numbers import Real
from typing import Any

from fallline.errors import InputError
from fallline.rules.ranges import Range


@dataclasses.dataclass(frozen=True)
class Kind:
    """What one hyperparameter takes."""

    type: Any
    optional: bool = False
    range: Range = dataclasses.field(default_factory=Range)

    @property
    def is_float(self) -> bool:
        """Whether the value may differ between trainings of one program."""
        return self.type is float

    def checked(self, owner: str, name: str, value: Any) -> Any:
        """The value as a rule keeps it, or an InputError that says what is wrong with it."""
        if value is None and self.optional:
            return None
        if self.is_float:
            number = isinstance(value, Real) and not isinstance(value, bool)
            if not number or value not in self.range:
                raise InputError(f"{owner}: {name} must be {self.range}; got {value!r}.")
            return float(value)
        if self.type is int:
            if not isinstance(value, int) or isinstance(value, bool) or value not in self.range:
                expected = str(self.range).replace("a finite number", "a whole number")
                raise InputError(f"{owner}: {name} must be {expected}; got {value!r}.")
            return int(value)
        if typing.get_origin(self.type) is typing.Literal:
            choices = typing.get_args(self.type)
            if value not in choices:
                raise InputError(f"{owner}: {name} must be one of {', '.join(map(repr, choices))}; got {value!r}.")
        elif self.type is not Any and isinstance(self.type, type) and not isinstance(value, self.type):
            expected = "true or false" if self.type is bool else f"of type {self.type.__name__}"
            raise InputError(f"{owner}: {name} must be {expected}; got {value!r}.")
        return value


_READ: dict[type, dict[str, Kind]] = {}


def kinds_of(rule: type) -> dict[str, Kind]:
    """The kind of every field of a rule's class, in order."""
    if rule not in _READ:
        _READ[rule] = _read(rule)
    return _READ[rule]


def _read(rule: Any) -> dict[str, Kind]:
    hints = typing.get_type_hints(rule, include_extras=True)
    fields = {field.name for field in dataclasses.fields(rule)}
    variables = {name for name, hint in hints.items() if typing.ClassVar not in (hint, typing.get_origin(hint))}
    if missing := sorted(variables - fields):
        raise InputError(
            f"{rule.__name__}: {', '.join(missing)} is annotated but is no field. "
            "Decorate the class with @dataclass(frozen=True)."
        )
    return {field.name: _kind(hints[field.name]) for field in dataclasses.fields(rule)}


def _kind(hint: Any, range: Range | None = None, optional: bool = False) -> Kind:
    if typing.get_origin(hint) is typing.Annotated:
        inner, *extras = typing.get_args(hint)
        return _kind(inner, next((x for x in extras if isinstance(x, Range)), range), optional)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        members = typing.get_args(hint)
        rest = [member for member in members if member is not type(None)]
        if len(rest) == 1:
            return _kind(rest[0], range, optional=len(members) > 1)
    return Kind(hint, optional, range or Range())
