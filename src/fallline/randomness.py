"""Keyed random streams: every draw is named by (seed, purpose, index, step), never by what was drawn before."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from fallline.keys import key as key
from fallline.keys import numpy_stream as numpy_stream


def torch_stream(
    seed: int, purpose: str, index: int = 0, step: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A torch generator for one purpose, on the device that draws."""
    return torch.Generator(device).manual_seed(_torch_seed(key(seed, purpose, index, step)))


def seed_global(seed: int, purpose: str, index: int = 0, step: int = 0, device: torch.device | str = "cpu") -> None:
    """Key the global generators of torch, NumPy and Python, for code that draws from them.

    Call it inside `forked()`, which puts the caller's own state back. The generator of the CPU is keyed, and that
    of the device; `torch.manual_seed`, which asks every backend, is a hundred times slower.
    """
    wide = key(seed, purpose, index, step)
    torch.default_generator.manual_seed(_torch_seed(wide))
    random.seed(wide)
    np.random.seed(wide % 2**32)
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.manual_seed_all(_torch_seed(wide))
    elif kind == "mps":
        torch.mps.manual_seed(_torch_seed(wide))


@contextmanager
def forked(device: torch.device | str = "cpu") -> Iterator[None]:
    """Lend the global generators of torch, NumPy and Python, and put their state back afterwards."""
    device = torch.device(device)
    cuda = [device.index or 0] if device.type == "cuda" else []
    kept = global_state()
    try:
        with torch.random.fork_rng(devices=cuda):
            yield
    finally:
        restore_global(kept)


GlobalState = tuple[Any, Any, Any]


def global_state() -> GlobalState:
    """The state of the global generators on the CPU: torch's, Python's and NumPy's."""
    return torch.get_rng_state(), random.getstate(), np.random.get_state()


def restore_global(state: GlobalState) -> None:
    """Put a state of the global generators back."""
    torch.set_rng_state(state[0])
    random.setstate(state[1])
    np.random.set_state(state[2])


def _torch_seed(wide: int) -> int:
    return wide & (2**63 - 1)
