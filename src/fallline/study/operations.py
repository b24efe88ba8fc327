"""What torch is asked to do, operation by operation."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, what torch does is counted: how many operations, the bytes of their results, the names of all, and of
    those that it has no rule to map over members by.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0
        self.bytes = 0
        self.names: set[str] = set()
        self.unmapped: set[str] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        results = function(*args, **(kwargs or {}))
        self.count += 1
        self.names.add(function.name())
        if not function.is_view:
            self.bytes += sum(x.nbytes for x in tree_leaves(results) if isinstance(x, Tensor))
        if any(isinstance(x, Tensor) for x in tree_leaves([args, kwargs])) and not _has_rule(function.name()):
            self.unmapped.add(function.name())
        return results


def _has_rule(name: str) -> bool:
    keys = "FuncTorchBatched", "FuncTorchBatchedDecomposition", "CompositeExplicitAutograd"
    return any(torch._C._dispatch_has_kernel_for_dispatch_key(name, key) for key in keys)
