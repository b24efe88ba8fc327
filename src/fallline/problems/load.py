"""Problems by name: the built-in ones, and those in the user's own files."""

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from fallline.errors import FalllineError, InputError, describe_failure, shown
from fallline.imports import is_reference, load_object, objects_in
from fallline.problems.airfoil import airfoil
from fallline.problems.cubic import cubic
from fallline.problems.digits import digits
from fallline.problems.linear import linear
from fallline.problems.mnist import mnist
from fallline.problems.problem import Problem
from fallline.problems.quadratic_deep import quadratic_deep
from fallline.suggestions import unknown

BUILT_IN: dict[str, Callable[..., Problem]] = {
    "digits": digits,
    "mnist": mnist,
    "airfoil": airfoil,
    "cubic": cubic,
    "linear": linear,
    "quadratic-deep": quadratic_deep,
}


def load(name: str, **options: Any) -> Problem:
    """A problem by built-in name, or from `path/to/file.py:name` or `package.module:name`.

    What a reference names is a Problem, or a callable that returns one and takes the options. Raises InputError
    for an unknown name or option.

    >>> load("cubic", noise=0.2).name
    'cubic'
    """
    if name in BUILT_IN:
        return _made(name, BUILT_IN[name], options)
    if name.endswith(".py"):
        raise InputError(f"Which problem of {name}? {_offered(name)}")
    if not is_reference(name):
        raise InputError(
            unknown(name, BUILT_IN, "built-in problem") + " For your own: path/to/file.py:name or package.module:name."
        )
    found = load_object(name)
    problem = found if isinstance(found, Problem) else _made(name, found, options)
    if isinstance(found, Problem) and options:
        raise InputError(f"{name} is a Problem and takes no options; got {', '.join(options)}.")
    if problem.name != Problem.name:
        return problem
    return Problem(**{**vars(problem), "name": name.rpartition(":")[2]})


def _offered(place: str) -> str:
    """What to write for a problem of a file or module: its Problems, or else how one is named."""
    references = [f"{place}:{name}" for name, found in objects_in(place).items() if isinstance(found, Problem)]
    if references:
        return f"Write {' or '.join(references)}."
    return f"There is no Problem in it: write {place}:NAME, a fallline.Problem or a function that makes one."


def _refuse_model(name: str, found: Any) -> None:
    if isinstance(found, nn.Module):
        place, _, attribute = name.rpartition(":")
        raise InputError(
            f"{name} is a model ({type(found).__name__}), and a problem is asked for: "
            f"fallline.Problem(model={attribute}, loss=..., train=...). {_offered(place)}"
        )


def _made(name: str, make: Any, options: dict[str, Any]) -> Problem:
    _refuse_model(name, make)
    if not callable(make):
        raise InputError(f"{name} must be a fallline.Problem or a function that returns one; got {shown(make)}.")
    known = list(inspect.signature(make).parameters)
    for option in options:
        if option not in known:
            raise InputError(unknown(option, known, f"option of problem {name}"))
    try:
        problem = make(**options)
    except FalllineError:
        raise
    except Exception as error:
        raise InputError(f"Problem {name} could not be made: {describe_failure(error)}") from error
    _refuse_model(name, problem)
    if not isinstance(problem, Problem):
        raise InputError(f"{name} must return a fallline.Problem; got {type(problem).__name__}.")
    return problem


def defaults(name: str) -> dict[str, Any]:
    """The options of a built-in problem with their defaults; none for the user's own."""
    if name not in BUILT_IN:
        return {}
    return {option.name: option.default for option in inspect.signature(BUILT_IN[name]).parameters.values()}


def takes(name: str, option: str) -> bool:
    """Whether a problem takes an option; the user's own functions are looked at too."""
    make = BUILT_IN.get(name) or (load_object(name) if is_reference(name) else None)
    return callable(make) and not isinstance(make, Problem) and option in inspect.signature(make).parameters
