"""What two specifications differ in, in words."""

from typing import Any

from fallline.errors import shown
from fallline.study.specification import Specification

_ABSENT = "nothing"


def differences(stored: Specification, given: Specification) -> list[str]:
    """Every setting in which two specifications differ, with its value in the store and the one that is given.

    >>> spec = {"problems": [{"name": "line", "source": None}], "epochs": 3}
    >>> spec["optimizers"] = [{"label": "sgd", "source": "sgd", "kind": "SGD", "hyperparameters": {"lr": [0.1]}}]
    >>> differences(Specification(**spec), Specification(**{**spec, "epochs": 5, "seeds": 1}))
    ['epochs: 3 there, 5 here', 'seeds: 3 there, 1 here']
    """
    before, now = _settings(stored), _settings(given)
    pairs = {name: (before.get(name, _ABSENT), now.get(name, _ABSENT)) for name in (*before, *now)}
    different = {name: (there, here) for name, (there, here) in pairs.items() if there != here}
    # What belongs to a problem or optimizer that only one side has goes without saying.
    owners = {*_owners(stored)} ^ {*_owners(given)}
    return [
        f"{name}: {_told(there)} there, {_told(here)} here"
        for name, (there, here) in different.items()
        if not any(name.endswith(f" of {owner}") for owner in owners)
    ]


def _owners(spec: Specification) -> list[str]:
    return [*(problem.name for problem in spec.problems), *(optimizer.label for optimizer in spec.optimizers)]


def _settings(spec: Specification) -> dict[str, Any]:
    """Every setting under the name that it has for a reader."""
    fields = spec.model_dump()
    problems, optimizers, factors = (fields.pop(name) for name in ("problems", "optimizers", "factors"))
    settings: dict[str, Any] = {
        "problem": tuple(problem.pop("name") for problem in problems),
        "optimizer": tuple(optimizer.pop("label") for optimizer in optimizers),
        **{name.replace("batch_sizes", "batch_size").replace("_", " "): value for name, value in fields.items()},
    }
    for name, problem in zip(settings["problem"], problems, strict=True):
        settings |= {f"{key.replace('_', ' ')} of {name}": value for key, value in problem.items()}
    for label, optimizer in zip(settings["optimizer"], optimizers, strict=True):
        tried = optimizer.pop("hyperparameters")
        settings |= {f"{key} of {label}": value for key, value in {**optimizer, **tried}.items()}
    return settings | {f"factor {name}": values for name, values in factors.items()}


def _told(value: Any) -> str:
    """A value for a message; that of a list of one stands alone."""
    if isinstance(value, tuple | list) and len(value) == 1:
        return _told(value[0])
    if isinstance(value, tuple | list) and all(isinstance(item, str | float | int) for item in value):
        return shown(" and ".join(map(str, value)))[1:-1]
    return value if isinstance(value, str) else "none" if value is None else shown(value)
