"""Numbers too small for full precision, which processors reckon with a hundred times slower."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def flushed() -> Iterator[None]:
    """Inside, this thread takes what lies below the least normal number (1.2e-38 in float32) as 0, as JAX does.

    The averages of units that have died fall so low within a thousand steps.
    """
    before = _flushes()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _flushes() -> bool:
    return not bool(torch.tensor([1e-38], dtype=torch.float32) * 0.01)
