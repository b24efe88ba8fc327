"""Keys of random streams, and the streams of NumPy."""

from hashlib import blake2b

import numpy as np


def key(seed: int, purpose: str, index: int = 0, step: int = 0) -> int:
    """The 128-bit key of one stream; equal arguments give equal keys on every machine."""
    name = f"{seed}/{purpose}/{index}/{step}".encode()
    return int.from_bytes(blake2b(name, digest_size=16).digest(), "little")


def numpy_stream(seed: int, purpose: str, index: int = 0, step: int = 0) -> np.random.Generator:
    """A NumPy generator for one purpose: orders, splits, data."""
    return np.random.Generator(np.random.Philox(key=key(seed, purpose, index, step)))
