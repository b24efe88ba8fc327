"""What a model reads or changes outside its tensors, which a captured step would keep as it was at the capture."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import nn

from fallline.cohorts.reasons import CannotMap

_PLAIN = (bool, int, float, str, tuple, type(None))


@contextmanager
def nothing_outside(model: nn.Module) -> Iterator[None]:
    """Raises CannotMap at the end where a model inside drew from Python's or NumPy's generator, or changed an attribute
    that is no tensor.
    """
    drawn, kept = _generators(), _attributes(model)
    yield
    if _generators() != drawn:
        raise CannotMap("it draws random numbers of its own")
    if changed := [name for name, value in _attributes(model).items() if kept.get(name, value) != value]:
        raise CannotMap(f"it changes {changed[0]} in training, which is no tensor")


def _generators() -> Any:
    name, words, *rest = np.random.get_state()
    return random.getstate(), name, np.asarray(words).tolist(), rest


def _attributes(model: nn.Module) -> dict[str, Any]:
    return {
        f"{owner}.{name}".lstrip("."): value
        for owner, module in model.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, _PLAIN)
    }
