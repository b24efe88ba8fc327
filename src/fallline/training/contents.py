"""What containers, tensors and arrays hold, to be put back into the same objects."""

from collections import OrderedDict
from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from torch import Tensor

_CONTAINERS = (dict, OrderedDict, list, set)


class Kept:
    """A value with what it holds: a tensor's or array's numbers, the items of a plain dict, list or set and theirs.

    Other values are kept as they are, and so are those whose `id` is in `known`.
    """

    def __init__(self, value: Any, known: Collection[int]) -> None:
        self.value = value
        self._version = 0
        self._contents: Any = None
        if id(value) in known:
            return
        if isinstance(value, Tensor) and value.layout is torch.strided and not value.is_inference():
            self._version = value._version
            self._contents = value.detach().clone()
        elif isinstance(value, np.ndarray) and value.flags.writeable:
            self._contents = value.copy()
        elif type(value) in _CONTAINERS:
            # A container may hold itself.
            seen = {*known, id(value)}
            items = value.items() if isinstance(value, dict) else enumerate(value)
            self._contents = [(key, Kept(item, seen)) for key, item in items]

    @torch.no_grad()
    def put_back(self) -> Any:
        """Put everything back in place; the value itself."""
        value, contents = self.value, self._contents
        if isinstance(value, Tensor) and contents is not None:
            # Written only where it was written to: others may be in a graph, or share their memory.
            if value._version != self._version or not torch.equal(value, contents):
                value.copy_(contents)
        elif isinstance(value, np.ndarray) and contents is not None:
            value[...] = contents
        elif contents is not None:
            items = [(key, kept.put_back()) for key, kept in contents]
            value.clear()
            if isinstance(value, list):
                value.extend(item for _, item in items)
            else:
                value.update(items if isinstance(value, dict) else (item for _, item in items))
        return value
