"""fallline: an optimizer workbench for PyTorch.

The names below are loaded when they are first used, so that `fallline --help` does not wait for torch.
"""

import random
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "compare": "fallline.api",
    "compare_file": "fallline.api",
    "plan": "fallline.api",
    "resume": "fallline.api",
    "fit": "fallline.fitted",
    "Fitted": "fallline.fitted",
    "results": "fallline.api",
    "merged": "fallline.api",
    "lr_find": "fallline.api",
    "Results": "fallline.api",
    "log": "fallline.study",
    "trace": "fallline.training",
    "Problem": "fallline.problems",
    "Rule": "fallline.rules",
    "LogRange": "fallline.rules",
    "InputError": "fallline.errors",
    "MachineError": "fallline.errors",
}
_ROOMS = ("diagnostics", "optim", "problems", "rules", "schedules", "statistics", "wrappers")
__all__ = [*_HOMES, *_ROOMS, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(_load(_HOMES[name]), name)
    if name in _ROOMS:
        return _load(f"fallline.{name}")
    raise AttributeError(f"module 'fallline' has no attribute {name!r}")


def _load(module: str) -> Any:
    # rich draws from Python's generator as it is imported, which would move a user's own draws.
    state = random.getstate()
    try:
        return import_module(module)
    finally:
        random.setstate(state)


def __dir__() -> list[str]:
    return sorted(__all__)
