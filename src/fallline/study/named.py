"""Problems as a study names them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fallline.errors import InputError, shown
from fallline.imports import absolute
from fallline.problems import Problem, load
from fallline.problems.load import defaults, takes
from fallline.study.values import parse_like


@dataclass(frozen=True)
class NamedProblem:
    """A problem with the name it bears in a study and the way to load it again."""

    name: str
    problem: Problem
    source: str | None
    options: Mapping[str, Any]
    target: str | None = None


def named(
    given: Any, data_dir: Any = None, further: Mapping[str, Any] | None = None, target: str | None = None
) -> NamedProblem:
    """A problem from a Problem, or from text: `digits`, `mnist:hidden=500`, `file.py:name`; with `further` options and
    a target in place of its own, text alone.
    """
    if isinstance(given, NamedProblem):
        return given
    if isinstance(given, Problem):
        return NamedProblem(given.name, given, None, {}, given.target)
    if not isinstance(given, str):
        raise InputError(f"A problem must be a fallline.Problem or a name; got {shown(given)}.")
    head, _, tail = given.rpartition(":")
    name, written = (head, tail) if head and "=" in tail else (given, "")
    options: dict[str, Any] = dict(item.partition("=")[::2] for item in filter(None, written.split(",")))
    if twice := sorted(options.keys() & (further or {}).keys()):
        raise InputError(f"Option {twice[0]} of problem {name} is given twice.")
    return load_named(name, _typed(name, {**options, **(further or {})}), data_dir, target)


def load_named(name: str, options: Mapping[str, Any], data_dir: Any = None, target: str | None = None) -> NamedProblem:
    """A problem by the name it is loaded with and its options; `data_dir` goes to problems that read files, and is
    no part of what the problem is.
    """
    places = {"data_dir": data_dir} if data_dir is not None and takes(name, "data_dir") else {}
    problem = load(name, **{**options, **places})
    told = ",".join(f"{key}={value}" for key, value in options.items())
    label = f"{problem.name}:{told}" if told else problem.name
    return NamedProblem(label, problem, absolute(name), options, target or problem.target)


def _typed(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    known = defaults(name)
    return {
        key: parse_like(value, known[key], f"problem {name}", key) if key in known and isinstance(value, str) else value
        for key, value in options.items()
    }
