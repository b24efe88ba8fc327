"""Layers that torch computes by kernels which cannot be mapped, computed by the operations they consist of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode


@contextmanager
def mappable() -> Iterator[None]:
    """Inside, attention and recurrent layers consist of operations that `torch.vmap` knows."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), _Recurrent():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


class _Recurrent(TorchFunctionMode):
    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        steps = _steps().get(function)
        if steps is None:
            return function(*args, **(kwargs or {}))
        # torch's account of an LSTM in float32 would be oneDNN's kernel, which cannot be mapped.
        before = torch._C._get_mkldnn_enabled()
        torch._C._set_mkldnn_enabled(False)
        try:
            return steps(*args, **(kwargs or {}))
        finally:
            torch._C._set_mkldnn_enabled(before)


@cache
def _steps() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Recurrent layers, and torch's own account of each as a loop over time."""
    aten = torch.ops.aten
    known: dict[Any, Any] = {
        torch.lstm: aten.lstm.input,
        torch.gru: aten.gru.input,
        torch.rnn_tanh: aten.rnn_tanh.input,
        torch.rnn_relu: aten.rnn_relu.input,
    }
    found = torch._decomp.get_decompositions(list(known.values()))
    return {function: found[operation] for function, operation in known.items()}
