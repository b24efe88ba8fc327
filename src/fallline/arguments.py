"""The arguments of public functions: each of a type that it can be, or an error that names it."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Literal, overload

from fallline.errors import WrongArgument, shown


def check(name: str, value: Any, kinds: Any, expected: str) -> None:
    """Raise InputError unless an argument is of some kinds, as `isinstance` takes them; `expected` says which.

    >>> check("command", None, str | None, "text")
    """
    if not isinstance(value, kinds):
        raise WrongArgument((name, f" must be {expected}; got {shown(value)}"))


@overload
def place(name: str, value: Any, none: Literal[True] = True) -> Path | None: ...
@overload
def place(name: str, value: Any, none: Literal[False]) -> Path: ...
def place(name: str, value: Any, none: bool = True) -> Path | None:
    """The path of an argument that names a file or folder, or None where that may be. Raises InputError for others."""
    if value is None and none:
        return None
    check(name, value, str | PathLike, "a path, as text or a pathlib.Path")
    return Path(value)


def whole(name: str, value: Any, least: int) -> None:
    """Raise InputError unless an argument is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise WrongArgument((name, f" must be a whole number of at least {least}; got {shown(value)}"))


def by_name(name: str, value: Any, example: str) -> dict[str, Any]:
    """An argument that maps names to something. Raises InputError for anything else."""
    check(name, value, Mapping, f"a mapping such as {example}")
    for key in value:
        if not isinstance(key, str):
            raise WrongArgument((name, f" must have names as keys, as {example} has; got {shown(key)}"))
    return dict(value)
