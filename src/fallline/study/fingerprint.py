"""What a function or object is made of, in digests that are the same in every process of one version of Python."""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import PurePath
from types import CodeType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fallline.plain import canonical
from fallline.problems.kept import Kept, digest
from fallline.study.reachable import PLAIN, Path, Reachable


def fingerprint(thing: Any) -> dict[str, str]:
    """A digest of everything that a function or object runs and reads, by the path that leads there from it:
    instructions, plain values, tensors, other functions and the attributes that methods name. Libraries' own code is
    known by its name. Left out is what the code itself assigns or may change, and what has nothing lasting to tell.

    >>> def scaled(by):
    ...     return lambda x: by * x
    >>> one, other = fingerprint(scaled(2)), fingerprint(scaled(3))
    >>> one == fingerprint(scaled(2)), changed(one, other)
    (True, ['by'])
    """
    found = Reachable.of(thing)
    told: dict[Path, Any] = {path: _instructions(code) for path, code in found.code.items()}
    told |= {path: text for path, value in found.lasting().items() if (text := _told(value)) is not None}
    return {_joined(path): _digest(canonical(text).encode()) for path, text in told.items()}


def _joined(path: Path) -> str:
    return "".join(part if part[0] in ".[" else f" {part}" for part in path).lstrip(" .")


def changed(before: Mapping[str, str], now: Mapping[str, str], alone: bool = True) -> list[str]:
    """The paths under which two fingerprints have something else; with `alone` also those that only one of them has."""
    return [
        path
        for path in {**before, **now}
        if before.get(path) != now.get(path) and (alone or (path in before and path in now))
    ]


def _told(value: Any) -> Any:
    """A value as plain ones; None of what changes from process to process, or cannot be looked at."""
    try:
        if _names_a_run(value):
            return None
        if isinstance(value, (*PLAIN, torch.dtype, torch.device)):
            return repr(value)
        if isinstance(value, Tensor):
            return digest(Kept([value]))
        if isinstance(value, np.generic):
            return repr(value.item())
        if isinstance(value, np.ndarray):
            return None if value.dtype.hasobject else [value.dtype.str, value.shape, _digest(value.tobytes())]
        if isinstance(value, (set, frozenset)):
            return sorted(map(repr, value)) if all(isinstance(one, PLAIN) for one in value) else None
        if isinstance(value, CodeType):
            return _instructions(value)
        named = value if hasattr(value, "__qualname__") else type(value)
        return [getattr(named, "__module__", None), named.__qualname__]
    except Exception:
        # Sparse, nested and uninitialised tensors have no bytes, and objects may answer with anything.
        return None


def _names_a_run(value: Any) -> bool:
    """Whether a value is a time, a place or a name that every run has another of: no loss becomes another by it."""
    if isinstance(value, str):
        return len(value) > 12 and any(letter.isdigit() for letter in value)
    return isinstance(value, PurePath) or (isinstance(value, float) and value > 1e9)


def _instructions(code: CodeType) -> Any:
    return [code.co_name, code.co_code.hex(), list(code.co_names), [_told(x) for x in code.co_consts]]


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
