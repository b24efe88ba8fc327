"""Values as they are written on a command line or in Python: one, a list, or a range that is tuned."""

import ast
from collections.abc import Iterable
from typing import Any

from fallline.errors import InputError, shown
from fallline.protocol import TRIALS
from fallline.rules import LogRange
from fallline.rules.kinds import Kind


def log(low: float, high: float, count: int) -> tuple[float, ...]:
    """`count` values from low to high, evenly on a logarithmic scale, both ends included.

    >>> log(1e-3, 1, 4)
    (0.001, 0.01, 0.1, 1.0)
    """
    return LogRange(float(low), float(high)).grid(count)


def parse_values(text: str, kind: Kind, owner: str, name: str, trials: int = TRIALS) -> tuple[Any, ...]:
    """The values that text stands for: `0.1`, a list `0.1|0.2`, or a range `1e-3..1` that is cut into so many."""
    if not text:
        raise InputError(f"{owner}: {name} has no value.")
    if (found := parse_range(text, owner, name)) is not None:
        return found.grid(trials)
    return tuple(_parse(item, kind, owner, name) for item in text.split("|"))


def parse_range(text: str, owner: str, name: str) -> LogRange | None:
    """The range that text stands for, or None where it is none.

    >>> parse_range("1e-3..1", "adam", "lr"), parse_range("0.1|0.2", "adam", "lr")
    (LogRange(low=0.001, high=1.0), None)
    """
    low, dots, high = text.partition("..")
    return LogRange(_number(low, owner, name), _number(high, owner, name)) if dots else None


def parse_rates(text: str, owner: str = "--lr") -> tuple[float, ...]:
    """The learning rates of `--lr`: LOW:HIGH:COUNT on a logarithmic scale, or A,B,C."""
    if ":" not in text:
        return tuple(_number(item, owner, "each rate") for item in text.split(","))
    parts = text.split(":")
    if len(parts) != 3 or not parts[2].isdigit():
        raise InputError(f"{owner} must be LOW:HIGH:COUNT, such as 1e-4:1:9, or A,B,C; got {shown(text)}.")
    return log(_number(parts[0], owner, "LOW"), _number(parts[1], owner, "HIGH"), int(parts[2]))


def parse_like(text: str, default: Any, owner: str, name: str) -> Any:
    """A value of the same type as a default: true or false, a whole number, a number, or the text itself."""
    if isinstance(default, bool):
        return _parse(text, Kind(bool), owner, name)
    for kind in (int, float):
        if isinstance(default, kind):
            try:
                return kind(text)
            except ValueError:
                expected = "a whole number" if kind is int else "a number"
                raise InputError(f"{owner}: {name} must be {expected}; got {shown(text)}.") from None
    return text


def spelled(value: Any) -> str:
    """A value as it is written on a command line.

    >>> spelled(True), spelled(None), spelled(0.0), spelled(0.0215443), spelled("64-64")
    ('true', 'none', '0', '0.0215443', '64-64')
    """
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def distinct(values: Iterable[Any], owner: str, name: str) -> tuple[Any, ...]:
    """The values once each, in order; an empty list is an InputError."""
    unique = tuple(dict.fromkeys(values))
    if not unique:
        raise InputError(f"{owner}: {name} has no values to try.")
    return unique


def _parse(text: str, kind: Kind, owner: str, name: str) -> Any:
    text = text.strip()
    if kind.optional and text.lower() == "none":
        return None
    if kind.is_float:
        return _number(text, owner, name)
    if kind.type is bool:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise InputError(f"{owner}: {name} must be true or false; got {shown(text)}.")
    if kind.type is int:
        return parse_like(text, 0, owner, name)
    if kind.type is Any:
        return _literal(text)
    return text


def _literal(text: str) -> Any:
    """A Python value (a number, a tuple, true, false, none), or the text itself."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _number(text: str, owner: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{owner}: {name} must be a number; got {shown(text)}.") from None
